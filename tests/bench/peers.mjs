// Other image libraries, each as a function from bytes to bytes.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { PhotonImage, SamplingFilter, resize as photonResize } from '@cf-wasm/photon/node';
import sharp from 'sharp';

// One thread, and no cache between rounds.
sharp.concurrency(1);
sharp.cache(false);

export const sharpPhoto = (edge, options) => (bytes) =>
  sharp(bytes).autoOrient().resize(edge, edge, { fit: 'inside' }).jpeg(options).toBuffer();

export const sharpDecode = (bytes) => sharp(bytes).raw().toBuffer();

export const sharpPng = (edge) => (bytes) => sharp(bytes).resize(edge, edge, { fit: 'inside' }).png().toBuffer();

export const photonPhoto = (edge) => (bytes) => {
  const image = PhotonImage.new_from_byteslice(bytes);
  const [width, height] = fit(image.get_width(), image.get_height(), edge);
  const smaller = photonResize(image, width, height, SamplingFilter.Lanczos3);
  const encoded = smaller.get_bytes_jpeg(80);
  image.free();
  smaller.free();
  return encoded;
};

export async function jsquash() {
  // The packages are written for bundlers: they need the global ImageData and their compiled modules.
  globalThis.ImageData ??= class {
    constructor(data, width, height) {
      Object.assign(this, { data, width, height });
    }
  };
  const require = createRequire(import.meta.url);
  const memories = [];
  const load = (file) => new WebAssembly.Module(readFileSync(require.resolve(file)));
  const instantiate = WebAssembly.instantiate;
  WebAssembly.instantiate = async (...args) => {
    const made = await instantiate(...args);
    const { exports } = made.instance ?? made;
    memories.push(...Object.values(exports).filter((value) => value instanceof WebAssembly.Memory));
    return made;
  };
  const decode = await import('@jsquash/jpeg/decode.js');
  const encode = await import('@jsquash/jpeg/encode.js');
  const resize = await import('@jsquash/resize');
  await decode.init(load('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm'));
  await encode.init(load('@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm'));
  await resize.initResize(load('@jsquash/resize/lib/resize/pkg/squoosh_resize_bg.wasm'));
  const photo = (edge) => async (bytes) => {
    const image = await decode.default(bytes);
    const [width, height] = fit(image.width, image.height, edge);
    // The same settings as sharp and photon: Lanczos on gamma-encoded values, without premultiplied alpha.
    const options = { width, height, method: 'lanczos3', premultiply: false, linearRGB: false };
    return encode.default(await resize.default(image, options), { quality: 80 });
  };
  return { photo, memoryBytes: () => memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0) };
}

function fit(width, height, edge) {
  const scale = Math.min(1, edge / Math.max(width, height));
  return [Math.round(width * scale), Math.round(height * scale)];
}
