// Other browser libraries, each as a function from a file to a blob; bundled for the page.
import imageCompression from 'browser-image-compression';
import Compressor from 'compressorjs';
import decodeJpeg, { init as initDecode } from '@jsquash/jpeg/decode.js';
import encodeJpeg, { init as initEncode } from '@jsquash/jpeg/encode.js';
import decodePng, { init as initDecodePng } from '@jsquash/png/decode.js';
import encodePng, { init as initEncodePng } from '@jsquash/png/encode.js';
import resize, { initResize } from '@jsquash/resize';
import createPica from 'pica';

export const compressorjs = (file, { edge, quality }) =>
  new Promise((success, error) => {
    // Keeps PNG as PNG, as our package does; by default a large PNG becomes a JPEG.
    new Compressor(file, { maxWidth: edge, maxHeight: edge, quality, convertTypes: [], success, error });
  });

// The worker of this library loads the library again, by default from a CDN.
const compression = (useWebWorker) => (file, { edge, quality }) =>
  imageCompression(file, { maxWidthOrHeight: edge, initialQuality: quality, maxSizeMB: 100, useWebWorker,
    libURL: new URL('/peers/browser-image-compression/dist/browser-image-compression.js', location.href).href });
export const compressionMain = compression(false);
export const compressionWorker = compression(true);

const pica = createPica();
export async function picaMain(file, { edge, quality }) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, edge / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  await pica.resize(bitmap, canvas);
  bitmap.close();
  return pica.toBlob(canvas, file.type, quality);
}

const wasm = (path) => WebAssembly.compileStreaming(fetch(`/peers/@jsquash/${path}`));
let loaded;
async function load() {
  await Promise.all([
    wasm('jpeg/codec/dec/mozjpeg_dec.wasm').then(initDecode),
    wasm('jpeg/codec/enc/mozjpeg_enc.wasm').then(initEncode),
    wasm('png/codec/pkg/squoosh_png_bg.wasm').then((module) => Promise.all([initDecodePng(module), initEncodePng(module)])),
    wasm('resize/lib/resize/pkg/squoosh_resize_bg.wasm').then(initResize),
  ]);
}
export async function jsquash(file, { edge, quality }) {
  await (loaded ??= load());
  const isPng = file.type === 'image/png';
  const image = await (isPng ? decodePng : decodeJpeg)(await file.arrayBuffer());
  const scale = Math.min(1, edge / Math.max(image.width, image.height));
  const [width, height] = [Math.round(image.width * scale), Math.round(image.height * scale)];
  const smaller = await resize(image, { width, height, method: 'lanczos3', premultiply: false, linearRGB: false });
  return new Blob([await (isPng ? encodePng(smaller) : encodeJpeg(smaller, { quality: quality * 100 }))], { type: file.type });
}
