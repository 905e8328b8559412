// Builds a native program that computes SSIMULACRA2, and runs it on encoded images.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';

/** Builds the program; returns its path. */
export function buildScore(root) {
  const folder = join(root, 'target/bench-build');
  const cargo = ['build', '--release', '--quiet', '--manifest-path', join(root, 'tests/bench/wasm/Cargo.toml'),
    '--target-dir', folder, '--bin', 'score'];
  const { status, error } = spawnSync('cargo', cargo, { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error('cargo failed', { cause: error });
  return join(folder, 'release/score');
}

/** The SSIMULACRA2 of encoded images compared with `source`, resized to their size. */
export async function scores(score, source, pictures) {
  const { width, height } = await sharp(pictures[0]).metadata();
  // Decoded at full size first, so that the reference depends on no scaled decoder.
  const full = await sharp(source).autoOrient().removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const { width: across, height: down, channels } = full.info;
  const reference = await sharp(full.data, { raw: { width: across, height: down, channels } })
    .resize(width, height, { fit: 'fill' }).raw().toBuffer();
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  try {
    const decoded = await Promise.all(pictures.map((bytes) => sharp(bytes).removeAlpha().toColourspace('srgb').raw().toBuffer()));
    const files = [reference, ...decoded].map((data, index) => {
      const file = join(folder, String(index));
      writeFileSync(file, data);
      return file;
    });
    const output = execFileSync(score, [width, height, ...files].map(String), { encoding: 'utf8' });
    return output.trim().split('\n').map(Number);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
