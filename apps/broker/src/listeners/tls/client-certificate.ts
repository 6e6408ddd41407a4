import type { TLSSocket } from 'node:tls';
import type { ClientCertificate } from '#libs/broker-core';

/** The certificate that a client has shown and that was found valid; undefined without one. */
export function clientCertificateOf(socket: TLSSocket): ClientCertificate | undefined {
  if (!socket.authorized) return undefined;
  const { subject, subjectaltname = '', fingerprint256, valid_to } = socket.getPeerCertificate();
  if (fingerprint256 === undefined) return undefined;
  // With several common names none of them is the name of the client.
  const commonName: unknown = subject.CN;
  return {
    ...(typeof commonName === 'string' && { commonName }),
    sans: alternativeNames(subjectaltname),
    fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
    notAfterMs: Date.parse(valid_to),
  };
}

/**
 * Splits the text that Node.js makes of alternative names, `DNS:a.b, URI:"x, y"`: a value that holds a comma is quoted as in
 * JSON, so that none can pass for two.
 *
 * @internal
 */
export function alternativeNames(text: string): readonly string[] {
  const names = text.match(/[^:,\s][^:,]*:(?:"(?:[^"\\]|\\.)*"|[^,]*)/g) ?? [];
  return names.map((name) => {
    const at = name.indexOf(':') + 1;
    const value = name.slice(at);
    return name.slice(0, at) + (value.startsWith('"') ? String(JSON.parse(value)) : value);
  });
}
