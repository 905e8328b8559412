// Endless series of uploads for the benchmark, distributed over users and client IPs and each with different bytes, so that
// neither limits nor duplicates affect the measurement.

/** Number of users; their limits are raised for the benchmark. */
export const USERS = 50;
/** A client IP may send 120 requests a minute, so 256 suffice for 500 uploads a second; more would only measure the creation
 *  of ledgers. */
const ADDRESSES = 256;

/** All client IPs of the uploads. */
export const addresses = () => Array.from({ length: ADDRESSES }, (_, number) => `10.1.0.${number}`);

/** Uploads with raw bodies, as the browser package sends them. */
export function raw(picture, tokens, origin) {
  const vary = variants(picture);
  return () => {
    const { body, count } = vary();
    return { url: `${origin}/images`, body, headers: { ...caller(count, tokens), 'Content-Type': 'image/jpeg' } };
  };
}

/** Uploads as multipart forms, which multer needs. */
export function form(picture, tokens, origin) {
  const vary = variants(picture);
  const boundary = '----TheFormBench7MA4YWxkTrZu0gW';
  const part = 'Content-Disposition: form-data; name="image"; filename="photo.jpg"\r\nContent-Type: image/jpeg';
  const head = Buffer.from(`--${boundary}\r\n${part}\r\n\r\n`);
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const type = `multipart/form-data; boundary=${boundary}`;
  return () => {
    const { body, count } = vary();
    return {
      url: `${origin}/images`,
      body: Buffer.concat([head, body, tail]),
      headers: { ...caller(count, tokens), 'Content-Type': type },
    };
  };
}

function caller(count, tokens) {
  const address = count % ADDRESSES;
  return {
    Authorization: `Bearer ${tokens[count % tokens.length]}`,
    'CF-Connecting-IP': `10.1.0.${address}`,
  };
}

// Different bytes with nearly the same image and the same work: adds 0 to 3 to the steps of a few low frequencies of the first
// quantisation table. Low frequencies also change an image that is decoded at half its size, so that the stored bytes differ.
function variants(picture) {
  const [FIRST, STEPS] = [1, 6];
  const table = quantisationTable(picture);
  let made = 0;
  return () => {
    const count = made;
    made += 1;
    const body = Buffer.from(picture);
    // All users send variant 0, then variant 1, and so on: 50 * 4^6 uploads before one repeats.
    let digits = Math.floor(count / USERS);
    for (let step = FIRST; step < FIRST + STEPS; step += 1) {
      body[table + step] = Math.min(255, body[table + step] + (digits & 3));
      digits >>= 2;
    }
    return { body, count };
  };
}

/** The offset of the 64 steps of the first quantisation table, which has 8 bits per step in a baseline JPEG. */
function quantisationTable(picture) {
  const [SOI_BYTES, DQT, SOS] = [2, 0xdb, 0xda];
  for (let at = SOI_BYTES; picture[at] === 0xff && picture[at + 1] !== SOS;) {
    if (picture[at + 1] === DQT && picture[at + 4] >> 4 === 0) return at + 5;
    at += 2 + picture.readUInt16BE(at + 2);
  }
  throw new Error('the JPEG has no quantisation table of 8 bits');
}
