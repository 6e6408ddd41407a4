/** The same bytes as a Buffer, without a copy: the driver would write any other array as text. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
