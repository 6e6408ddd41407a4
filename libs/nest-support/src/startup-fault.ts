import { ConfigError } from '#libs/config';

const REASONS: Readonly<Record<string, { readonly problem: string; readonly fix: string }>> = {
  EADDRINUSE: { problem: 'is in use', fix: 'choose another port or stop the program that has it' },
  EACCES: { problem: 'is not permitted', fix: 'choose a port above 1023 or grant the right' },
  EADDRNOTAVAIL: { problem: 'is no address of this machine', fix: 'correct the host' },
  ENOTFOUND: { problem: 'is no known host', fix: 'correct the host' },
};

/**
 * Says in one line per fault what its operator must change, if the operator can.
 *
 * @param field - the key of the setting that was being put into effect, for example `api.port`.
 * @returns undefined for an error that is no fault of the configuration.
 */
export function startupFault(error: unknown, field: string): string | undefined {
  if (error instanceof ConfigError) return error.message;
  const { code, address, port, hostname } = (error ?? {}) as NodeJS.ErrnoException & {
    readonly address?: string;
    readonly port?: number;
    readonly hostname?: string;
  };
  const reason = REASONS[code ?? ''];
  if (reason === undefined) return undefined;
  const place = [address ?? hostname, port].filter((part) => part !== undefined).join(':');
  return `${field}: ${place} ${reason.problem}; ${reason.fix}`;
}
