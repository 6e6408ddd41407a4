export { Expression, type ExpressionOptions } from './expression.ts';
export {
  DocumentKind,
  ExpressionDocument,
  type DocumentKindOptions,
  type PayloadFields,
  type PayloadLimits,
} from './expression-document.ts';
export { ExpressionError, TransformFault, type TransformFaultCode, type Why } from './faults.ts';
export { DEFAULT_TRANSFORM_LIMITS, type TransformLimits } from './limits.ts';
export {
  MESSAGES,
  MessageDocument,
  type MessageFields,
  type UsernameOf,
} from './message-document.ts';
export {
  RECORDS,
  RecordDocument,
  type RecordFields,
  type RecordOrigin,
} from './record-document.ts';
