import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Lower case letters and digits that nobody mistakes for one another; 32 of them, so that a byte gives one without bias. */
const LETTERS = 'abcdefghijkmnpqrstuvwxyz23456789';
const ID_LENGTH = 16;
const SECRET_BYTES = 32;
const SECRET = /^skn_([a-z0-9]{16})_[\w-]{43}$/;

/** A new id: of a key, or of a binding. */
export function newId(): string {
  return Array.from(randomBytes(ID_LENGTH), (byte) => LETTERS[byte % LETTERS.length]).join('');
}

/** What the secret of a key begins with. */
export function prefixOf(id: string): string {
  return `skn_${id}`;
}

/** A new secret for a key, of 256 random bits. */
export function newSecret(id: string): string {
  return `${prefixOf(id)}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
}

/** The id of the key that a text may be a secret of; undefined when it is of none. */
export function keyIdOf(secret: string): string | undefined {
  return SECRET.exec(secret)?.[1];
}

/** What is kept of a secret. It is random, so there is nothing to guess that a slower hash would protect. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** Whether a secret is the one that a hash is of, in a time that tells nothing of either. */
export function isSecretOf(secret: string, hash: string): boolean {
  return timingSafeEqual(digest(hashOf(secret)), digest(hash));
}

/** Whether two texts of any length are the same, in a time that tells nothing of either. */
export function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
