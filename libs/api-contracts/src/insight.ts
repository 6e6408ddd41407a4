// What is seen of a cluster: its topics, figures and alarms.
export {
  SHARED_MEMBERS_MAX,
  sharedGroupDetailsSchema,
  sharedGroupSchema,
  topicLevelListSchema,
  topicLevelSchema,
  topicMetricCreateSchema,
  topicMetricSchema,
  type SharedGroupDetails,
  type SharedGroupView,
  type TopicLevelList,
  type TopicLevelView,
  type TopicMetricView,
} from './topics.ts';
export {
  TOPIC_METRICS_MAX,
  isTopicCommand,
  type TopicAnswers,
  type TopicCommand,
  type WireSharedGroup,
  type WireSharedGroupQuery,
  type WireSharedMember,
  type WireSharedSubscription,
  type WireTopicLevel,
  type WireTopicMetric,
  type WireTopicQuery,
} from './topic-command.ts';
export { statsHistorySchema, statsSchema, type StatsHistoryView, type StatsView } from './stats.ts';
export {
  STATS_FIGURES,
  STATS_TOTALS,
  isStatsCommand,
  type StatsAnswers,
  type StatsCommand,
  type StatsFigure,
  type StatsTotal,
  type WireFigures,
  type WireSample,
} from './stats-command.ts';
export {
  ALARM_FILTERS,
  alarmAcknowledgementSchema,
  alarmSchema,
  type AlarmAcknowledgementView,
  type AlarmView,
} from './alarms.ts';
export {
  ALARM_NAMES,
  isAlarmCommand,
  type AlarmAnswers,
  type AlarmCommand,
  type AlarmName,
  type AlarmSeverity,
  type WireAcknowledgement,
  type WireAlarm,
} from './alarm-command.ts';
export { diagnosticsRequestSchema } from './diagnostics.ts';
export {
  isDiagnosticsCommand,
  type DiagnosticsAnswers,
  type DiagnosticsCommand,
  type WireDiagnosis,
  type WireHeapSnapshot,
} from './diagnostics-command.ts';
