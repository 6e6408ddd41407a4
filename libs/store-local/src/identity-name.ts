import type { MessageIdentity } from '#libs/broker-ports';

/** A message's identity as text: no two messages have the same. */
export function nameOf({ source, sequence }: MessageIdentity): string {
  return `${source.nodeId}#${String(source.incarnation)}/${String(sequence)}`;
}
