export { commandChannel, type CommandChannel, type CommandTransport } from './command-transport.ts';
export { endProcess } from './end-process.ts';
export {
  Logs,
  createLog,
  type ComponentLevel,
  type LevelChange,
  type LogLevel,
  type LogOptions,
} from './log.ts';
export { NestLogger } from './nest-logger.ts';
export {
  NodeCommandClient,
  type NodeCallResult,
  type NodeCommandClientOptions,
} from './node-command-client.ts';
export { NodeCommandServer, type NodeCommandServerOptions } from './node-command-server.ts';
export {
  OpsServer,
  isHealthy,
  type Health,
  type MetricsPage,
  type OpsServerOptions,
} from './ops-server.ts';
export { closeOnSignal, type ShutdownOptions } from './shutdown.ts';
export { startupFault } from './startup-fault.ts';
