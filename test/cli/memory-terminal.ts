import type { Terminal } from '../../apps/cli/src/terminal.ts';

/** A terminal in memory: what was written to it, and what is typed in answer to its questions. */
export class MemoryTerminal implements Terminal {
  readonly isInteractive = false;
  readonly abort = new AbortController();
  readonly stop = this.abort.signal;
  out = '';
  notes = '';

  constructor(
    readonly env: Readonly<Record<string, string | undefined>> = {},
    private readonly input: { readonly stdin?: string; readonly secrets?: string[] } = {},
  ) {}

  print(text: string): void {
    this.out += `${text}\n`;
  }

  async write(bytes: string | Uint8Array): Promise<void> {
    this.out += typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString();
  }

  note(text: string): void {
    this.notes += `${text}\n`;
  }

  async readAll(): Promise<Buffer> {
    return Buffer.from(this.input.stdin ?? '');
  }

  async askSecret(): Promise<string> {
    return this.input.secrets?.shift() ?? '';
  }
}
