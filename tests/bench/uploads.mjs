// The uploads of the bench as endless series: spread over users and addresses and each with other bytes, so
// that neither a limit nor the recognition of bytes sent before answers in place of the work.

/** What is spread over how many users; the limits of a user are lifted for the bench. */
export const USERS = 50;
/** An address may send 120 a minute, so these are good for 500 uploads a second; more of them would only
 *  measure how ledgers are opened. */
const ADDRESSES = 256;

/** Every address that uploads come from. */
export const addresses = () => Array.from({ length: ADDRESSES }, (_, number) => `10.1.0.${number}`);

/** Raw bodies, as our own browser module sends them. */
export function raw(picture, tokens, origin) {
  const vary = variants(picture);
  return () => {
    const { body, count } = vary();
    return { url: `${origin}/images`, body, headers: { ...caller(count, tokens), 'Content-Type': 'image/jpeg' } };
  };
}

/** Forms, as browsers and multer have them. */
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

// Other bytes, nearly the same picture, the same work: the steps of a few coarse frequencies of the
// first quantisation table are raised by 0 to 3. They are coarse enough to show when the picture is
// decoded at half its size, so that what is stored differs, too.
function variants(picture) {
  const [FIRST, STEPS] = [1, 6];
  const table = quantisationTable(picture);
  let made = 0;
  return () => {
    const count = made;
    made += 1;
    const body = Buffer.from(picture);
    // All users send variant 0, then all send variant 1: 50 * 4^6 uploads before one comes again.
    let digits = Math.floor(count / USERS);
    for (let step = FIRST; step < FIRST + STEPS; step += 1) {
      body[table + step] = Math.min(255, body[table + step] + (digits & 3));
      digits >>= 2;
    }
    return { body, count };
  };
}

/** Where the 64 steps of the first table lie, which are of 8 bits in every baseline JPEG. */
function quantisationTable(picture) {
  const [SOI_BYTES, DQT, SOS] = [2, 0xdb, 0xda];
  for (let at = SOI_BYTES; picture[at] === 0xff && picture[at + 1] !== SOS;) {
    if (picture[at + 1] === DQT && picture[at + 4] >> 4 === 0) return at + 5;
    at += 2 + picture.readUInt16BE(at + 2);
  }
  throw new Error('a JPEG with a quantisation table of 8 bits is wanted');
}
