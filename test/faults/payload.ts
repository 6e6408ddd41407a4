const PAYLOAD_BYTES = 64;

/** The topic of a publisher. */
export const topicOf = (publisher: number): string => `faults/${String(publisher)}`;

/** A payload that says which message it is. */
export function encodeNumbers(publisher: number, number: number): Uint8Array {
  const bytes = Buffer.alloc(PAYLOAD_BYTES);
  bytes.writeUInt32BE(publisher, 0);
  bytes.writeUInt32BE(number, 4);
  return bytes;
}

/** Which message a payload is. */
export function decodeNumbers(bytes: Uint8Array): { publisher: number; number: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { publisher: view.getUint32(0), number: view.getUint32(4) };
}
