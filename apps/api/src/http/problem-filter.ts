import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '#libs/broker-ports';
import type { ProblemError } from './problem-error.ts';
import { problemOf } from './problem-of.ts';
import { originOf } from './origin.ts';

/** Answers every failure as `application/problem+json`, whoever noticed it: router, parser, hook or controller. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const problem = problemOf(error, { method: request.method, path: pathOf(request) });
    if (problem.code === 'internal') {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#log.error('request-failed', { ...originOf(request), message });
    }
    if (!reply.sent) answerProblem(problem, request, reply);
  }
}

const answered = new WeakMap<FastifyRequest, ProblemError>();

/** The problem that a request was answered with, if it was. */
export function problemAnswered(request: FastifyRequest): ProblemError | undefined {
  return answered.get(request);
}

/** Sends a problem as the reply. */
export function answerProblem(
  problem: ProblemError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { allow } = problem.extras.headers ?? {};
  if (request.method === 'OPTIONS' && allow !== undefined) {
    void reply.code(204).header('allow', allow).send();
    return;
  }
  answered.set(request, problem);
  void reply
    .code(problem.status)
    .headers({ 'x-request-id': request.id, ...problem.extras.headers })
    .type('application/problem+json')
    .send(JSON.stringify(problem.body(pathOf(request), request.id)));
}

function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] ?? '';
}
