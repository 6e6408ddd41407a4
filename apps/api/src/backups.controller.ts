import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BackupView, Input, List, LongOperation } from '#libs/api-contracts';
import { BACKUP_OPERATION } from './backups/backup-operation.ts';
import type { BackupStore, StoredBackup } from './backups/backup-store.ts';
import { RESTORE_OPERATION } from './backups/restore-operation.ts';
import { knownCaller } from './guard/caller.ts';
import { isUnbound } from './guard/grants.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import type { Operations } from './operations/operations.ts';
import { BACKUPS, OPERATIONS_OF_API, PAGES } from './tokens.ts';

type Position = Pick<StoredBackup, 'createdAtMs' | 'id'>;

/** Backups of the cluster, and what is restored of them. */
@Controller()
export class BackupsController {
  constructor(
    @Inject(BACKUPS) private readonly store: BackupStore,
    @Inject(OPERATIONS_OF_API) private readonly operations: Operations,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listBackups')
  async list(
    @Checked() { query }: Input<'listBackups'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<BackupView>> {
    const exchange = { request, reply };
    const after = this.pages.position<Position>(exchange);
    const all = await this.store.list();
    const rest = after === undefined ? all : all.filter((each) => isBehind(each, after));
    const some = rest.slice(0, query.limit);
    const last = rest.length > some.length ? some.at(-1) : undefined;
    return this.pages.list(exchange, query.limit, {
      items: await Promise.all(some.map((each) => this.store.present(each))),
      after: last && { createdAtMs: last.createdAtMs, id: last.id },
      unavailable: [],
    });
  }

  @Route('createBackup')
  async create(
    @Checked() { body }: Input<'createBackup'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LongOperation> {
    const { encryption, file } = body;
    const id = randomUUID();
    // A place and a key that are not there are told of at once.
    if (file === undefined) await this.store.requireWritable();
    else this.store.pathOf(file);
    const secret = this.store.secret();
    if (encryption === 'aes-256-gcm' && secret === undefined) {
      const detail = 'backups.key is not set: nothing can be enciphered';
      throw new ProblemError('unprocessable', detail);
    }
    if (file !== undefined && (await this.store.list()).some((each) => each.file === file)) {
      throw new ProblemError('unprocessable', `${file} is a backup that is known already`);
    }
    const input = {
      id,
      ...(encryption !== undefined && { isEnciphered: encryption !== 'none' }),
      ...(file !== undefined && { file }),
    };
    return this.operations.start(BACKUP_OPERATION, input, { request, reply });
  }

  @Route('getBackup')
  async show(@Checked() { path }: Input<'getBackup'>): Promise<BackupView> {
    return this.store.present(await this.store.get(path.backup_id));
  }

  @Route('deleteBackup')
  async remove(@Checked() { path, query }: Input<'deleteBackup'>): Promise<void> {
    const backup = await this.store.get(path.backup_id);
    if (await this.store.isHere(backup)) await rm(this.store.pathOf(backup.file));
    else if (query.forget !== true) await this.store.requireHere(backup);
    await this.store.forget(backup.id);
  }

  @Route('downloadBackup')
  async download(
    @Checked() { path }: Input<'downloadBackup'>,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const backup = await this.store.get(path.backup_id);
    const file = await this.store.requireHere(backup);
    const { size } = await stat(file);
    const source = createReadStream(file);
    void reply
      .header('content-length', size)
      .header('content-type', 'application/octet-stream')
      .header('content-disposition', `attachment; filename="${backup.file}"`)
      .header('etag', `"${backup.sha256}"`)
      .send(source);
  }

  @Route('restoreBackup')
  async restore(
    @Checked() { path, body }: Input<'restoreBackup'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LongOperation> {
    const backup = await this.store.get(path.backup_id);
    await this.store.requireHere(backup);
    const { mode, dry_run: dryRun, sections } = body;
    const caller = knownCaller(request);
    const input = {
      ...{ backupId: backup.id, mode, dryRun, scopes: [...caller.scopes] },
      mayGiveRoles: isUnbound(caller),
      ...(sections !== undefined && { sections }),
    };
    return this.operations.start(RESTORE_OPERATION, input, { request, reply });
  }
}

function isBehind(backup: Position, { createdAtMs, id }: Position): boolean {
  if (backup.createdAtMs !== createdAtMs) return backup.createdAtMs < createdAtMs;
  return backup.id < id;
}
