import { z } from 'zod';
import type { ConfigFault } from './config-error.ts';
import { file, section } from './kinds.ts';
import { SECRET_VARIABLE } from './secret-reference.ts';

/** Where the admin API keeps backups, and how. */
export const backups = section({
  dir: z.string().min(1).max(4096).exactOptional().meta({
    description:
      'Directory where the admin API keeps backups, one file each. It has to be there. Replicas of the API have to share it, for example as a volume, if each is to serve all of them. Absent: there are no backups.',
    expects: 'a directory path',
  }),
  key: section({
    file: file(
      'File whose first line is the secret that backups are enciphered with (AES-256-GCM): at least 32 characters that nobody can guess, for example of `openssl rand -base64 32`. Whoever loses it loses the backups.',
    ),
    env: z.string().regex(SECRET_VARIABLE).exactOptional().meta({
      description: 'The variable that holds it, instead of a file.',
      expects: 'the name of a variable that does not begin with SKEIN_',
    }),
  }),
});

/** Finds what is wrong between the settings of backups. */
export function backupFaults({ dir, key }: z.output<typeof backups>): readonly ConfigFault[] {
  if (key.file !== undefined && key.env !== undefined) {
    const problem = 'is in a file and in a variable';
    return [{ field: 'backups.key', problem, fix: 'set backups.key.file or backups.key.env' }];
  }
  if (dir === undefined && (key.file !== undefined || key.env !== undefined)) {
    const problem = 'is required by backups.key';
    return [{ field: 'backups.dir', problem, fix: 'set it, or remove the key' }];
  }
  return [];
}
