// A common upload server to compare with: Express, multer, jsonwebtoken, sharp and the S3 client in one process, with the
// settings of their documentation. upload.mjs starts it and sends the token secret and the S3 settings as an IPC message; it
// replies with its port.
import { randomUUID } from 'node:crypto';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import express from 'express';
import jwt from 'jsonwebtoken';
import multer from 'multer';
import sharp from 'sharp';

const EDGE = 2048;
const QUALITY = 80;
const MAX_BYTES = 5 * 1024 * 1024;

process.once('message', (settings) => {
  const server = service(settings).listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
  process.once('disconnect', () => process.exit());
});

function service({ secret, s3 }) {
  const store = new S3Client({
    endpoint: s3.S3_ENDPOINT,
    region: s3.S3_REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: s3.S3_ACCESS_KEY_ID, secretAccessKey: s3.S3_SECRET_ACCESS_KEY },
  });
  const upload = multer({ storage: multer.memoryStorage(), limits: { fileSize: MAX_BYTES } });
  const app = express();
  app.post('/images', authenticate(secret), upload.single('image'), async (request, response) => {
    const picture = await prepare(request.file.buffer);
    const key = `users/${request.user.sub}/images/${Date.now()}-${randomUUID()}.jpeg`;
    await store.send(new PutObjectCommand({
      Bucket: s3.S3_BUCKET, Key: key, Body: picture.data, ContentType: 'image/jpeg',
    }));
    const url = `${s3.S3_ENDPOINT}/${s3.S3_BUCKET}/${key}`;
    const { width, height, size } = picture.info;
    response.status(201).json({ message: 'upload_image_success', data: { imageUrl: url, key, width, height, size }, url });
  });
  return app;
}

const authenticate = (secret) => (request, response, next) => {
  const [, token] = (request.headers.authorization ?? '').split(' ');
  jwt.verify(token, secret, { algorithms: ['HS256'] }, (error, user) => {
    if (error) return response.status(401).json({ message: 'invalid_token' });
    request.user = user;
    return next();
  });
};

const prepare = (bytes) => sharp(bytes).rotate()
  .resize(EDGE, EDGE, { fit: 'inside', withoutEnlargement: true })
  .jpeg({ quality: QUALITY }).toBuffer({ resolveWithObject: true });
