/** The label of the calls in the metrics of whoever has the connection. */
export const OPERATION = 'rules';
