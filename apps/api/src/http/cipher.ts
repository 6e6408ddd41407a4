import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Makes a text unreadable, and unchangeable, for whoever has not the key of 32 bytes. */
export function encipher(text: string, key: Buffer): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
}

/** What was enciphered. @throws Error when the key is another, or the text was altered. */
export function decipher(text: string, key: Buffer): string {
  const bytes = Buffer.from(text, 'base64');
  const decipherer = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES));
  decipherer.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  const sealed = bytes.subarray(IV_BYTES + TAG_BYTES);
  return Buffer.concat([decipherer.update(sealed), decipherer.final()]).toString('utf8');
}
