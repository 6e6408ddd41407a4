import { once } from 'node:events';
import { UsageError } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

const ENTER = /[\r\n]/;
const INTERRUPT = '\u0003';
const END = '\u0004';
const ERASE = ['\u007f', '\b'];

/** The terminal of this process. */
export class ProcessTerminal implements Terminal {
  readonly env: Terminal['env'];
  readonly stop: AbortSignal;

  /** @param env - the variables that the program reads. */
  constructor(env: Terminal['env']) {
    this.env = env;
    const abort = new AbortController();
    this.stop = abort.signal;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      // The second one ends the process at once, as without a handler.
      process.once(signal, () => abort.abort());
    }
    // Nobody reads any more: `skein ... | head`.
    process.stdout.on('error', (error: Error & { readonly code?: string }) => {
      if (error.code !== 'EPIPE') throw error;
      abort.abort();
    });
  }

  get isInteractive(): boolean {
    return process.stdout.isTTY;
  }

  print(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  async write(bytes: string | Uint8Array): Promise<void> {
    if (!process.stdout.write(bytes)) await once(process.stdout, 'drain', { signal: this.stop });
  }

  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  async readAll(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  async askSecret(question: string): Promise<string> {
    const { stdin, stderr } = process;
    if (!stdin.isTTY) {
      throw new UsageError(`${question} cannot be asked for without a terminal: give it in a file`);
    }
    stderr.write(`${question}: `);
    stdin.setRawMode(true).setEncoding('utf8');
    try {
      return await readHidden(stdin);
    } finally {
      stdin.setRawMode(false).pause();
      stderr.write('\n');
    }
  }
}

async function readHidden(stdin: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    for (const key of String(chunk)) {
      if (ENTER.test(key)) return text;
      if (key === INTERRUPT || key === END) throw new UsageError('ended without an answer');
      text = ERASE.includes(key) ? text.replace(/.$/su, '') : text + key;
    }
  }
  return text;
}
