import type { BrokerNode } from '#libs/broker-core';
import type { Log } from '#libs/broker-ports';
import { ConfigError, readSecret, type Config } from '#libs/config';
import type { PromMeter } from '#libs/metrics-prom';
import type { Listener, ListenerOptions } from '../listeners/listener.ts';
import { ListenerSet } from '../listeners/listener-set.ts';
import { TcpListener } from '../listeners/tcp-listener.ts';
import { TicketKeys } from '../listeners/tls/ticket-keys.ts';
import { WsListener } from '../listeners/ws-listener.ts';
import type { BoundListener } from './open-files.ts';

type Inputs = [Config, readonly BoundListener[], Log, PromMeter, BrokerNode];

/**
 * Makes the listeners; they begin to accept when the node is up.
 *
 * @throws ConfigError when the secret of session tickets cannot be read.
 */
export function openListeners(...[config, listeners, log, meter, node]: Inputs): ListenerSet {
  const { limits } = config;
  const tickets = new TicketKeys(config.tls.ticketPeriodSeconds, ticketSecret(config));
  const accept = node.accept.bind(node);
  const open = (bound: BoundListener): Listener => {
    const options: ListenerOptions = { ...bound, limits, tickets, accept, meter, log };
    const { path } = bound.settings;
    return path === undefined ? new TcpListener(options) : new WsListener({ ...options, path });
  };
  return new ListenerSet(listeners, { open, meter, log });
}

function ticketSecret({ tls }: Config): string | undefined {
  const { file, env } = tls.ticketSecret;
  if (file === undefined && env === undefined) return undefined;
  try {
    return readSecret(file === undefined ? { env: env ?? '' } : { file });
  } catch (error) {
    const problem = `cannot be used: ${(error as Error).message}`;
    throw new ConfigError([{ field: 'tls.ticketSecret', problem, fix: 'put it there' }]);
  }
}
