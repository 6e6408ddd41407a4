export { dryRun, type DryRunStep, type RuleExpressions } from './dry-run.ts';
export { Expression, type ExpressionOptions } from './expression.ts';
export { ExpressionError, TransformFault, type TransformFaultCode, type Why } from './faults.ts';
export { DEFAULT_TRANSFORM_LIMITS, type TransformLimits } from './limits.ts';
export { MessageDocument, type MessageFields, type PayloadLimits } from './message-document.ts';
