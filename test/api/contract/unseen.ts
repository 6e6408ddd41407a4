/**
 * Documented statuses that no call of test/e2e/api-contract.e2e.ts gives: `operationId status`, in the order of the
 * operations. Most need a configuration that this one has not, or hit a moment: other tests see them. The list may shrink;
 * whoever adds an operation adds its steps, or a line here. 500 is in no list: it is to be seen nowhere.
 */
export const UNSEEN: readonly string[] = [
  'deleteNode 204',
  'setLogLevel 422',
  'patchSession 409',
  'replaceWebhook 422',
  'patchWebhook 422',
  'deleteRetainedMessages 202',
  'deleteRetainedMessages 409',
  'replaceBridge 409',
  'patchBridge 409',
  'replaceBridgeRule 409',
  'patchBridgeRule 409',
  'patchBridgeRule 422',
  'deleteBridgeRule 409',
  'replaceAclRule 409',
  'deleteAclRule 409',
  'replaceAuthChain 409',
  'orderAuthBackends 409',
  'replaceAuthBackend 409',
  'replaceAuthBackend 422',
  'patchAuthBackend 409',
  'patchAuthBackend 422',
  'deleteAuthBackend 409',
  'deleteAuthBackend 422',
  'replaceBan 409',
  'replaceBan 422',
  'patchApiKey 409',
  'deleteApiKey 409',
  'replaceRole 422',
  'replaceRoleBinding 409',
  'deleteRoleBinding 409',
  'deleteBackup 409',
  'downloadBackup 409',
];
