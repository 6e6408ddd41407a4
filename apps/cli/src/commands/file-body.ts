import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { textOption } from '../arguments.ts';
import type { Invocation, OptionSpec } from '../command.ts';
import { LocalError, UsageError } from '../exit-code.ts';

/** The option of commands whose body is too much for options. */
export const FILE_OPTION: Readonly<Record<string, OptionSpec>> = {
  file: {
    type: 'string',
    short: 'f',
    value: 'FILE',
    description: 'The definition as YAML or JSON; - is the standard input.',
  },
};

/**
 * What the file of a command holds.
 *
 * @throws UsageError without a file; LocalError when it cannot be read as YAML or JSON.
 */
export async function bodyOfFile({ options, terminal }: Invocation): Promise<unknown> {
  const file = textOption(options, 'file');
  if (file === undefined)
    throw new UsageError('give the definition with --file FILE; - is the standard input');
  const text =
    file === '-'
      ? (await terminal.readAll()).toString()
      : await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
          throw new LocalError(`${file}: cannot be read (${error.code})`);
        });
  try {
    return parse(text);
  } catch (error) {
    throw new LocalError(`${file}: is neither YAML nor JSON: ${(error as Error).message}`);
  }
}
