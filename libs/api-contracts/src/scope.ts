/** What the API has, as scopes name it. */
export const SCOPE_RESOURCES = [
  'system',
  'cluster',
  'nodes',
  'operations',
  'listeners',
  'certificates',
  'clients',
  'sessions',
  'subscriptions',
  'topics',
  'messages',
  'payloads',
  'retained',
  'delayed',
  'events',
  'stats',
  'bans',
  'auth',
  'users',
  'acl',
  'api_keys',
  'roles',
  'audit',
  'bridges',
  'bridge_rules',
  'dead_letters',
  'config',
  'definitions',
  'backups',
  'traces',
  'alarms',
  'webhooks',
  'logs',
  'diagnostics',
] as const;

/** What the API has, as scopes name it. */
export type ScopeResource = (typeof SCOPE_RESOURCES)[number];

/**
 * What a caller may do: `read`, `write` (create, change, delete) or `execute` (actions) on a resource. Of messages one publishes, and
 * without `payloads:read` none of their content is shown anywhere.
 */
export type Scope =
  | `${Exclude<ScopeResource, 'messages' | 'payloads' | 'audit' | 'events' | 'stats'>}:${'read' | 'write' | 'execute'}`
  | `${'audit' | 'events' | 'stats' | 'payloads'}:read`
  | 'messages:publish';

/** Resources of which some can be read and nothing more. */
const READ_ONLY = new Set<ScopeResource>(['payloads', 'audit', 'events', 'stats']);

/** Every scope there is. */
export const SCOPES: readonly Scope[] = SCOPE_RESOURCES.flatMap((resource): readonly string[] => {
  if (resource === 'messages') return ['messages:publish'];
  if (READ_ONLY.has(resource)) return [`${resource}:read`];
  return [`${resource}:read`, `${resource}:write`, `${resource}:execute`];
}) as readonly Scope[];

/** What an operation needs. `any`: some credential; `none`: not even that. */
export type OperationScope = Scope | 'any' | 'none';
