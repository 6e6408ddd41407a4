import type { SpoolLog, SpoolMarks } from '#libs/broker-ports';

/** Most bytes that are written of them, each for eight records: it happens up to ten times a second for each rule that is behind. */
const WRITTEN_BYTES_MAX = 64 * 1024;
const BYTES_MIN = 512;

/** Whether a record is marked as done with. */
export function isMarked(marks: SpoolMarks | undefined, sequence: number): boolean {
  if (marks === undefined) return false;
  const bit = sequence - marks.from;
  return bit >= 0 && isSet(marks.bits, bit);
}

/** Which records of a log are done with, at the cost of a bit for each from the first that is not. */
export class DoneMarks {
  /** A multiple of eight, and what the lowest bit stands for. */
  #from: number;
  #bits: Uint8Array = new Uint8Array(BYTES_MIN);
  #first: number;
  /** The sequence after the last that is done with. */
  #end: number;

  /** Begins with what is known of a log. */
  constructor({ first, next, marks }: Pick<SpoolLog, 'first' | 'next' | 'marks'>) {
    this.#from = first - (first % 8);
    this.#first = first;
    this.#end = first;
    if (marks === undefined) return;
    const end = Math.min(next, marks.from + marks.bits.length * 8);
    for (let sequence = Math.max(first, marks.from); sequence < end; sequence += 1) {
      if (isMarked(marks, sequence)) this.add(sequence);
    }
  }

  /** The lowest sequence that is not done with. */
  get first(): number {
    return this.#first;
  }

  /** What is to be remembered when a log is released up to the first: undefined when there is nothing. */
  get beyond(): SpoolMarks | undefined {
    if (this.#end <= this.#first) return undefined;
    const begin = this.#byteOf(this.#first);
    const end = Math.min(this.#byteOf(this.#end - 1) + 1, begin + WRITTEN_BYTES_MAX);
    return { from: this.#from + begin * 8, bits: this.#bits.slice(begin, end) };
  }

  /** Whether a record is done with. */
  has(sequence: number): boolean {
    if (sequence < this.#first) return true;
    return sequence < this.#end && isSet(this.#bits, sequence - this.#from);
  }

  /** A record is done with, or there is none of this sequence. */
  add(sequence: number): void {
    if (sequence < this.#first) return;
    if (this.#byteOf(sequence) >= this.#bits.length) this.#makeRoom(sequence);
    const byte = this.#byteOf(sequence);
    this.#bits[byte] = (this.#bits[byte] ?? 0) | (1 << ((sequence - this.#from) & 7));
    this.#end = Math.max(this.#end, sequence + 1);
    while (this.has(this.#first)) this.#first += 1;
  }

  #byteOf(sequence: number): number {
    return (sequence - this.#from) >>> 3;
  }

  /** Forgets what is below the first, and takes so much memory that half of it is free. */
  #makeRoom(sequence: number): void {
    const kept = this.#bits.subarray(this.#byteOf(this.#first));
    this.#from = this.#first - (this.#first % 8);
    const needed = this.#byteOf(sequence) + 1;
    const bits = new Uint8Array(Math.max(BYTES_MIN, needed * 2));
    bits.set(kept);
    this.#bits = bits;
  }
}

function isSet(bits: Uint8Array, bit: number): boolean {
  const byte = Math.floor(bit / 8);
  return ((bits[byte] ?? 0) & (1 << (bit % 8))) !== 0;
}
