import type { MessageIdentity, NodeRef } from '#libs/broker-ports';

/** What an id of a message is for: each gives another one. */
const SALTS = { sampling: 1, trace: 2, publish: 6, forward: 8 } as const;

/** A step between salts and positions that has no pattern in common with either: 2^32 by the golden ratio. */
const STEP = 0x9e37_79b9;
const TWO_32 = 0x1_0000_0000;

/**
 * Ids of spans that follow from the identity of a message, so that every node knows them without being told.
 *
 * @remarks They look random; that nobody can guess them is not promised. An identity is never given twice, so neither are they.
 */
export class TraceIds {
  #node: NodeRef | undefined;
  #nodeSeed = 0;

  /** A number from 0 to 1, the same at every node, that is as good as random. */
  portion(message: MessageIdentity): number {
    return this.#word(message, SALTS.sampling) / TWO_32;
  }

  traceId(message: MessageIdentity): string {
    const seed = SALTS.trace;
    const words = [0, 1, 2, 3].map((index) => this.#word(message, seed + index));
    return words.map(hex).join('');
  }

  /** Of the span in which a node took the message. */
  publish(message: MessageIdentity): string {
    return this.#spanId(message, SALTS.publish);
  }

  /** Of the span in which a node handed the message to another one. */
  forward(message: MessageIdentity, to: Pick<NodeRef, 'nodeId'>): string {
    return this.#spanId(message, SALTS.forward + textHash(to.nodeId));
  }

  #spanId(message: MessageIdentity, salt: number): string {
    const [high, low] = [this.#word(message, salt), this.#word(message, salt + 1)];
    // All zeros would be no id.
    return hex(high) + hex(high === 0 && low === 0 ? 1 : low);
  }

  #word({ source, sequence }: MessageIdentity, salt: number): number {
    if (source !== this.#node) {
      this.#node = source;
      const { incarnation, nodeId } = source;
      const high = Math.floor(incarnation / TWO_32);
      this.#nodeSeed = mix(textHash(nodeId) ^ mix((incarnation | 0) ^ mix(high)));
    }
    const high = Math.floor(sequence / TWO_32);
    const place = mix(this.#nodeSeed ^ (sequence | 0)) ^ high;
    return mix(place + Math.imul(salt, STEP)) >>> 0;
  }
}

/** Spreads the bits of a number over all 32: the end of MurmurHash3. */
function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}

/** FNV-1a over the units of a text. */
function textHash(text: string): number {
  let hash = 0x811c_9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193);
  }
  return hash | 0;
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
