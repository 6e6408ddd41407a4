export {
  bridgeRuleCreateSchema,
  bridgeRuleReplaceSchema,
  bridgeRuleSchema,
  bridgeRuleSchemaSchema,
  bridgeRuleSpoolSchema,
  bridgeRuleStateSchema,
  type BridgeRuleCreate,
  type BridgeRuleSchema,
  type BridgeRuleSpool,
  type BridgeRuleState,
  type BridgeRuleView,
} from './bridge-rules.ts';
export {
  bridgeCreateSchema,
  bridgeReplaceSchema,
  bridgeSchema,
  bridgeStateSchema,
  connectivityTestSchema,
  type BridgeCreate,
  type BridgeState,
  type BridgeView,
  type ConnectivityTest,
} from './bridges.ts';
export {
  ACL_RULES_MAX,
  aclRuleSchema,
  aclSimulationRequestSchema,
  aclSimulationResultSchema,
  aclSimulationSchema,
  userAclRuleSchema,
  type AclRuleView,
  type AclSimulation,
} from './access.ts';
export type * from './access-command.ts';
export type { BridgeAnswers, BridgeCommand, WireRuleMetrics } from './bridge-command.ts';
export { BRIDGE_FILTERS, BRIDGE_RULE_FILTERS } from './bridge-filters.ts';
export {
  bridgeActionSchema,
  bridgeMetricsSchema,
  bridgeRuleMetricsSchema,
  bridgeStatusSchema,
  ruleCountsSchema,
  type BridgeAction,
  type BridgeMetrics,
  type BridgeRuleMetrics,
  type BridgeStatusView,
  type RuleCounts,
} from './bridge-work.ts';
export {
  drainCreateSchema,
  drainSchema,
  drainSkipSchema,
  maintenanceSchema,
  rebalanceCreateSchema,
  rebalanceRunSchema,
  rebalanceSchema,
  type DrainReply,
  type DrainSkipView,
  type MaintenanceView,
  type RebalanceRun,
  type RebalanceView,
} from './drains.ts';
export {
  isDrainCommand,
  type DrainAnswers,
  type DrainCommand,
  type WireDrain,
  type WireDrainRequest,
} from './drain-command.ts';
export {
  CERTIFICATE_FIELDS,
  LISTENER_FIELDS,
  certificateSchema,
  listenerDetailSchema,
  listenerReplySchema,
  listenerSchema,
  nodeListenersSchema,
  reloadSchema,
  type CertificateReloadView,
  type CertificateView,
  type ListenerDetail,
  type ListenerReply,
  type ListenerView,
  type NodeListenersView,
} from './listeners.ts';
export {
  clusterChangeSchema,
  clusterSchema,
  type ClusterChangeView,
  type ClusterView,
} from './cluster-settings.ts';
export {
  featureListSchema,
  healthCheckSchema,
  healthSchema,
  nodeConfigSchema,
  nodeMetricsSchema,
  nodeStatsSchema,
  versionSchema,
  type FeatureListView,
  type HealthCheckView,
  type HealthView,
  type NodeConfigView,
  type NodeMetricsView,
  type NodeStatsView,
  type VersionView,
} from './system.ts';
export {
  configChangeSchema,
  configSchema,
  configValidationSchema,
  configVersionSchema,
  settingSchema,
  logLevelsSchema,
  type ConfigChangeView,
  type ConfigValidationView,
  type ConfigVersionView,
  type ConfigView,
  type LogLevelsView,
  type SettingView,
} from './config.ts';
export * from './config-command.ts';
export * from './listener-command.ts';
export {
  HEALTH_CHECKS,
  isSystemCommand,
  type HealthCheckName,
  type SystemAnswers,
  type SystemCommand,
  type WireCertificate,
  type WireFeature,
  type WireHealthCheck,
  type WireListener,
  type WireMetric,
  type WireNodeStats,
  type WireSetting,
} from './system-command.ts';
export type * from './dead-letter-command.ts';
export {
  DEAD_LETTER_FILTERS,
  deadLetterRemovalSchema,
  deadLetterReplaySchema,
  deadLetterSchema,
  type DeadLetterRemoval,
  type DeadLetterReplay,
  type DeadLetterView,
} from './dead-letters.ts';
export {
  definitionsImportedSchema,
  definitionsSchema,
  definedUserSchema,
  type DefinedUser,
  type DefinitionResult,
  type DefinitionsImported,
  type DefinitionsView,
} from './definitions.ts';
export type * from './user-command.ts';
export {
  CLIENT_ORDERS,
  clientRank,
  isSessionCommand,
  type SessionAnswers,
  type SessionCommand,
  type WireClient,
  type WireClientOrder,
  type WireClientPosition,
  type WireClientState,
  type WireClientQuery,
  type WireDelivery,
  type WireInflight,
  type WireQueuePosition,
  type WireSubscription,
  type WireSubscriptionQuery,
  type WireSubscriptionRequest,
  type WireUnownedSession,
  type WireUnownedSubscription,
  type WireVerdict,
  type WireWaiting,
} from './session-command.ts';
export { CLIENT_FILTERS, MQTT_VERSIONS, SESSION_FILTERS, clientValue } from './client-filters.ts';
export {
  userCreateSchema,
  userPatchSchema,
  userReplaceSchema,
  userSchema,
  type UserView,
} from './users.ts';
export {
  BAN_FILTERS,
  autoBanConfigReplaceSchema,
  autoBanConfigSchema,
  banCreateSchema,
  banReplaceSchema,
  banSchema,
  banWishSchema,
  type AutoBanConfigView,
  type BanCreate,
  type BanView,
} from './bans.ts';
export {
  authBackendSchema,
  authChainSchema,
  authTestRequestSchema,
  authTestSchema,
  type AuthBackendView,
  type AuthChainView,
  type AuthTest,
} from './auth.ts';
export {
  authBackendCreateSchema,
  authBackendPatchSchema,
  authBackendReplaceSchema,
  authDefinitionSchema,
  type AuthBackendCreate,
  type AuthDefinition,
} from './auth-changes.ts';
export type {
  AuthAnswers,
  AuthCommand,
  WireAuthChain,
  WireAuthChange,
  WireAuthDocument,
  WireMadeBackend,
  WireAuth,
  WireAuthBackend,
  WireLogin,
  WireLoginTrial,
} from './auth-command.ts';
export type * from './ban-command.ts';
export {
  ACL_RULE_FILTERS,
  aclRuleListSchema,
  aclRuleWishSchema,
  listedAclRuleSchema,
  type AclRuleList,
  type ListedAclRule,
} from './acl-rules.ts';
export { BULK_ITEMS_MAX, bulkResultsSchema, type BulkResults } from './bulk.ts';
export {
  API_KEY_FILTERS,
  apiKeyCreateSchema,
  apiKeyPatchSchema,
  apiKeyRotationSchema,
  apiKeySchema,
  apiKeySecretSchema,
  whoamiSchema,
  type ApiKeySecretView,
  type ApiKeyView,
  type WhoamiView,
} from './api-keys.ts';
export {
  ADMIN_ROLE,
  BUILT_IN_ROLES,
  ROLE_BINDING_FILTERS,
  ROLE_FILTERS,
  roleBindingCreateSchema,
  roleBindingReplaceSchema,
  roleBindingSchema,
  roleCreateSchema,
  roleIdSchema,
  roleReplaceSchema,
  roleSchema,
  scopesSchema,
  type RoleBindingView,
  type RoleView,
} from './roles.ts';
export {
  definedWebhookSchema,
  webhookCreateSchema,
  webhookDeliverySchema,
  webhookPatchSchema,
  webhookReplaceSchema,
  webhookSchema,
  webhookTestSchema,
  type DefinedWebhook,
  type WebhookDeliveryView,
  type WebhookTestView,
  type WebhookView,
} from './webhooks.ts';
export { itemFields, itemProblemSchema, itemResultsOf, type ItemProblem } from './item-results.ts';
export {
  authorizationCheckSchema,
  rememberedVerdictSchema,
  type RememberedVerdictView,
} from './client-access.ts';
export {
  inflightMessageSchema,
  queuedMessageSchema,
  type InflightMessageView,
  type QueuedMessageView,
} from './client-queues.ts';
export { sessionPatchSchema, sessionSchema, type SessionView } from './sessions.ts';
export { disconnectReasonCode, clientSchema, type Client } from './clients.ts';
export {
  choiceField,
  bodyConditionsOf,
  conditionsOf,
  countField,
  fieldsQuery,
  filterQuery,
  flagField,
  meets,
  sortQuery,
  sparse,
  textField,
  timeField,
  type Condition,
  type FilterField,
  type FilterOperator,
  type FilterShape,
  type FilterValue,
} from './filters.ts';
export { nodeSchema, statusSchema, type ClusterNode, type ClusterStatus } from './cluster.ts';
export { problemPageSchema } from './documents.ts';
export {
  REQUEST_SECONDS_MAX,
  messageBulkResultsSchema,
  messageBulkSchema,
  messagePropertiesSchema,
  messagePublishSchema,
  messageRequestSchema,
  messageResponseSchema,
  publishedSchema,
  type MessageBulkResults,
  type MessageContent,
  type MessageProperties,
  type MessagePublish,
  type MessageRequest,
  type MessageResponse,
  type Published,
} from './messages.ts';
export {
  retainedMessageSchema,
  retainedPutSchema,
  retainedRemovalSchema,
  type RetainedMessage,
  type RetainedRemoval,
} from './retained.ts';
export {
  delayedCreateSchema,
  delayedMessageSchema,
  type DelayedMessageView,
} from './delayed-messages.ts';
export {
  scheduledCreateSchema,
  scheduledMessageSchema,
  type ScheduledMessageView,
} from './scheduled-messages.ts';
export * from './schedule-command.ts';
export type { WireOrigin, WithOrigin } from './wire-origin.ts';
export { nextCronTime, parseCron, type CronTimes } from './cron.ts';
export * from './insight.ts';
export { EVENT_STREAM_TYPE, EVENT_TYPES } from './streams.ts';
export {
  NDJSON_TYPE,
  TRACE_SECONDS_MAX,
  traceCreateSchema,
  traceSchema,
  type TraceView,
} from './traces.ts';
export type {
  StreamAnswers,
  StreamCommand,
  WireEventPosition,
  WireEventType,
  WireNodeEvent,
  WireWatchedMessage,
} from './stream-command.ts';
export type { TraceAnswers, TraceCommand, WireTrace, WireTracePosition } from './trace-command.ts';
export type * from './message-command.ts';
export type {
  WireMessage,
  WirePage,
  WireProperties,
  WireQoS,
  WireRetained,
  WireRetainedQuery,
} from './wire-message.ts';
export type {
  CommandOf,
  NodeAnswers,
  NodeCommand,
  NodeReply,
  WireBridge,
  WireBridgeChange,
  WireConnectorDraft,
  WireFieldFault,
  WireStoredBridge,
  WireConnector,
  WireKafkaSasl,
  WireKafkaTls,
  WireNode,
  WireNodeStatus,
  WireOutboundRule,
  WireRule,
  WireRuleChange,
  WireRuleSample,
  WireRuleSpool,
  WireRuleState,
  WireRuleTrial,
  WireSampleMessage,
  WireSampleRecord,
  WireSchemaFormat,
  WireSchemaRegistry,
  WireValueSchema,
  WireSecret,
  WireStoredRule,
  WireTestStep,
  WireTrialRecord,
} from './node-command.ts';
export {
  ruleSampleSchema,
  ruleTestSchema,
  sampleMessageSchema,
  sampleRecordSchema,
  type RuleSample,
  type RuleTest,
  type SampleMessage,
  type SampleRecord,
} from './rule-tests.ts';
export { openApiDocument, parametersOf, type JsonObject, type ParameterObject } from './openapi.ts';
export {
  JSON_TYPE,
  REQUEST_HEAD_BYTES_MAX,
  type CallOf,
  type Example,
  type InputOf,
  type Operation,
  type OutputOf,
  type Reply,
  type ReplyOf,
  type TopicPlace,
} from './operation.ts';
export { OPERATIONS, methodsOf, type Input, type OperationId } from './operations.ts';
export { PAGE_LIMIT_MAX, metaSchema, pageSchema, type List, type Meta, type Page } from './page.ts';
export {
  PROBLEMS,
  fieldErrorSchema,
  problemSchema,
  type FieldError,
  type Problem,
  type ProblemCode,
} from './problem.ts';
export {
  SCOPES,
  SCOPE_RESOURCES,
  type OperationScope,
  type Scope,
  type ScopeResource,
} from './scope.ts';
export {
  subscribeRequestSchema,
  subscribeResultSchema,
  subscriptionSchema,
  type SubscribeResult,
  type Subscription,
  wantedSubscriptionSchema,
  type WantedSubscription,
} from './subscriptions.ts';
export { isTopicFilter, isTopicName } from './topic.ts';
export { AUDIT_FILTERS, auditRecordSchema, type AuditRecord } from './audit.ts';
export {
  ACCEPTED,
  LONG_OPERATION_FILTERS,
  acceptedExample,
  longOperationSchema,
  longOperationSummarySchema,
  type LongOperation,
  type LongOperationSummary,
} from './long-operations.ts';
export {
  disconnectRequestSchema,
  disconnectResultsSchema,
  purgeRequestSchema,
  type DisconnectResult,
  type DisconnectResults,
} from './client-work.ts';
export {
  CSV_TYPE,
  HTPASSWD_TYPE,
  banImportItemSchema,
  userExportSchema,
  userImportItemSchema,
} from './imports.ts';
export * from './backup-command.ts';
export {
  BACKUP_SECTIONS,
  RESTORE_REFUSALS,
  backupSchema,
  restoreResultSchema,
  type BackupView,
  type RestoreResult,
} from './backups.ts';
