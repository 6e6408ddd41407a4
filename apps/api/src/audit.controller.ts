import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  AUDIT_FILTERS,
  conditionsOf,
  meets,
  type AuditRecord,
  type Input,
  type List,
} from '#libs/api-contracts';
import type { AuditLog } from './audit/audit-log.ts';
import type { Pages } from './http/pages.ts';
import { Checked, Route } from './http/route.ts';
import { AUDIT, PAGES } from './tokens.ts';

const NDJSON = 'application/x-ndjson';

/** How many records are read at a time, and at most for a page: rare ones take several pages. */
const READ_AT_ONCE = 500;
const READ_MAX = 20_000;

/** Who changed what. */
@Controller()
export class AuditController {
  constructor(
    @Inject(AUDIT) private readonly audit: AuditLog,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listAuditRecords')
  async list(
    @Checked() { query }: Input<'listAuditRecords'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<AuditRecord> | string> {
    const exchange = { request, reply };
    const { items, after } = await this.#find(query, this.pages.position<string>(exchange));
    const list = this.pages.list(exchange, query.limit, { items, after, unavailable: [] });
    if (!wantsLines(request.headers.accept)) return list;
    void reply.header('content-type', NDJSON);
    return items.map((record) => `${JSON.stringify(record)}\n`).join('');
  }

  async #find(query: Input<'listAuditRecords'>['query'], position: string | undefined) {
    const conditions = conditionsOf(AUDIT_FILTERS, query);
    const items: AuditRecord[] = [];
    let before = position;
    for (let read = 0; read < READ_MAX;) {
      const records = await this.audit.page(before, READ_AT_ONCE);
      for (const { id, atMs, entry } of records) {
        before = id;
        const record = { id, time: new Date(atMs).toISOString(), ...entry };
        const valueOf = (field: string) =>
          field === 'time' ? atMs : record[field as 'actor' | 'action' | 'resource' | 'outcome'];
        if (!meets(conditions, valueOf)) continue;
        items.push(record);
        if (items.length === query.limit) return { items, after: id };
      }
      if (records.length < READ_AT_ONCE) return { items, after: undefined };
      read += records.length;
    }
    return { items, after: before };
  }
}

/** Whether lines are what a caller names. */
function wantsLines(accept = ''): boolean {
  return accept.toLowerCase().includes(NDJSON);
}
