import { access, constants } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { BackupView } from '#libs/api-contracts';
import type { ApiState, DefinitionStore } from '#libs/broker-ports';
import { SecretError, readSecret, type Config } from '#libs/config';
import { ProblemError } from '../http/problem-error.ts';
import type { SectionSummary } from './archive-format.ts';

/** A backup as it is kept. */
export interface StoredBackup {
  readonly id: string;
  readonly createdAtMs: number;
  readonly registeredAtMs: number;
  readonly cluster: string;
  readonly nodeVersion: string;
  readonly formatVersion: number;
  readonly isEnciphered: boolean;
  readonly bytes: number;
  readonly sha256: string;
  readonly file: string;
  readonly replica: string;
  readonly sections: readonly SectionSummary[];
}

const KEY_LENGTH_MIN = 32;

/** What is known of backups, and where their files are. */
export class BackupStore {
  readonly replica = hostname();
  readonly #config: Config['backups'];
  readonly #stored: DefinitionStore<StoredBackup>;

  constructor(config: Config, state: ApiState) {
    this.#config = config.backups;
    this.#stored = state.definitions<StoredBackup>('backups');
  }

  /** The latest first. */
  async list(): Promise<readonly StoredBackup[]> {
    const all = (await this.#stored.list()).map(({ item }) => item);
    return all.sort((one, other) => other.createdAtMs - one.createdAtMs || compare(other, one));
  }

  /** @throws ProblemError 404. */
  async get(id: string): Promise<StoredBackup> {
    const stored = await this.#stored.get(id);
    if (stored === undefined) throw new ProblemError('not-found', 'There is no such backup');
    return stored.item;
  }

  /** Knows a backup from now on; nothing happens when it is known. */
  async add(backup: StoredBackup): Promise<void> {
    await this.#stored.put(backup, undefined);
  }

  async forget(id: string): Promise<void> {
    await this.#stored.remove(id, undefined);
  }

  /** Where a file of this name is. @throws ProblemError 422 when there is no directory for backups. */
  pathOf(file: string): string {
    const { dir } = this.#config;
    if (dir !== undefined) return join(dir, file);
    throw new ProblemError(
      'unprocessable',
      'backups.dir is not set: there is no place for backups',
    );
  }

  /** @throws ProblemError 422 when no file can be made in the directory. */
  async requireWritable(): Promise<void> {
    const dir = this.pathOf('');
    await access(dir, constants.W_OK).catch((error: unknown) => {
      throw new ProblemError('unprocessable', `backups.dir cannot be written to: ${codeOf(error)}`);
    });
  }

  /** Whether its file can be read here. */
  async isHere({ file }: Pick<StoredBackup, 'file'>): Promise<boolean> {
    if (this.#config.dir === undefined) return false;
    return access(this.pathOf(file)).then(
      () => true,
      () => false,
    );
  }

  /** Where its file is. @throws ProblemError 409 when that is not here. */
  async requireHere(backup: Pick<StoredBackup, 'file' | 'replica'>): Promise<string> {
    if (await this.isHere(backup)) return this.pathOf(backup.file);
    const { file, replica } = backup;
    const detail = `${file} is not in backups.dir of the replica on ${this.replica}; the one on ${replica} had it. Ask that one, or have them share the directory`;
    throw new ProblemError('conflict', detail);
  }

  /** The key, if there is one. @throws ProblemError 422 when it cannot be used. */
  secret(): string | undefined {
    const { file, env } = this.#config.key;
    if (file === undefined && env === undefined) return undefined;
    try {
      const secret = readSecret(file === undefined ? { env: env ?? '' } : { file });
      if (secret.length >= KEY_LENGTH_MIN) return secret;
      throw new SecretError(`it has fewer than ${KEY_LENGTH_MIN} characters`);
    } catch (error) {
      if (!(error instanceof SecretError)) throw error;
      throw new ProblemError('unprocessable', `backups.key cannot be used: ${error.message}`);
    }
  }

  /** As a caller sees it. */
  async present(backup: StoredBackup): Promise<BackupView> {
    const { id, cluster, bytes, sha256, file, replica, sections } = backup;
    return {
      ...{ id, cluster, bytes, sha256, file, replica },
      created_at: new Date(backup.createdAtMs).toISOString(),
      registered_at: new Date(backup.registeredAtMs).toISOString(),
      node_version: backup.nodeVersion,
      format_version: backup.formatVersion,
      encryption: backup.isEnciphered ? 'aes-256-gcm' : 'none',
      available: await this.isHere(backup),
      sections: [...sections],
    };
  }
}

function compare({ id: one }: StoredBackup, { id: other }: StoredBackup): number {
  return one < other ? -1 : 1;
}

function codeOf(error: unknown): string {
  return String((error as { readonly code?: unknown } | undefined)?.code);
}
