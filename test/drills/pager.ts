import { startWebhookServer, type WebhookServer } from '#libs/testkit';
import { z } from 'zod';
import type { Scope } from '../e2e/harness/scope.ts';

const NOTE = z.object({
  alerts: z.array(
    z.object({
      status: z.enum(['firing', 'resolved']),
      labels: z.record(z.string(), z.string()),
    }),
  ),
});

/** Whom an Alertmanager tells: of what fires and is not silenced by a cause of it, and of its end. */
export class Pager {
  readonly #server: WebhookServer;

  private constructor(server: WebhookServer) {
    this.#server = server;
  }

  /** One that listens until the scope ends. */
  static async open(scope: Scope): Promise<Pager> {
    const server = await startWebhookServer();
    scope.add(() => server.stop());
    return new Pager(server);
  }

  /** Where it is to be told. */
  get url(): string {
    return `http://127.0.0.1:${String(this.#server.port)}/`;
  }

  /** The names of alerts of a severity that it was told of, each once. */
  told(status: 'firing' | 'resolved', severity?: string): ReadonlySet<string> {
    const notes = this.#server.stored.flatMap(
      ({ body }) => NOTE.parse(JSON.parse(body.toString())).alerts,
    );
    const chosen = notes.filter(
      ({ labels, ...note }) =>
        note.status === status && (severity === undefined || labels['severity'] === severity),
    );
    return new Set(chosen.map(({ labels }) => labels['alertname'] ?? ''));
  }

  /** Forgets what it was told. */
  forget(): void {
    this.#server.stored.length = 0;
  }
}
