export { GroupedSpool, type GroupedSpoolOptions } from './grouped-spool.ts';
export {
  UnansweredError,
  type SpoolBlock,
  type SpoolChange,
  type SpoolChanged,
  type SpoolStore,
  type StoredLog,
} from './spool-store.ts';
