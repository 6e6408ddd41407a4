// What the lines that tools print for a shell need of credentials: the user's shell has them as variables, the lines do not.

const SAFE = /^[\w@%+=:,./-]+$/;

const quoted = (text) => (SAFE.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The option with which curl shows the key of the admin API; empty without a key. */
export const curlKey = ({ api }) =>
  api.key === undefined ? '' : ' -H "Authorization: Bearer $SKEIN_API_KEY"';

const TRIAL = { name: 'd1', password: 'tide table' };

/** Whether nobody can log in before a user is made over REST. */
const wantsStoredUser = ({ auth }) =>
  !auth.anonymous && auth.users.length === 0 && auth.chain?.some(({ kind }) => kind === 'stored');

/** The line that makes the user of the other lines over REST, at the `api`; undefined where nobody has to be made. */
export function userToMake(config, api) {
  if (!wantsStoredUser(config)) return undefined;
  const acl = [{ effect: 'allow', topics: ['demo/#', 'devices/#'] }];
  const body = JSON.stringify({ ...TRIAL, acl });
  return `curl -s ${api}/api/v1/users${curlKey(config)} -H 'content-type: application/json' -d '${body}'`;
}

/** The options with which mosquitto's programs log in as the first user; empty when everybody may connect. */
export function mosquittoLogin(config) {
  if (wantsStoredUser(config)) return ` -u ${TRIAL.name} -P '${TRIAL.password}'`;
  const [user] = config.auth.users;
  return user === undefined ? '' : ` -u ${quoted(user.name)} -P "$MQTT_PASSWORD"`;
}

/** Says which variables the lines need; empty when they need none. */
export function variablesNeeded(config) {
  const { api, auth, listeners } = config;
  const [user] = auth.users;
  const key = api.keyFile === undefined ? 'the value of api.key' : `what ${api.keyFile} holds`;
  const needed = [
    api.key !== undefined && `SKEIN_API_KEY (${key})`,
    listeners.tcp.enabled && user !== undefined && `MQTT_PASSWORD (that of the user ${user.name})`,
  ].filter(Boolean);
  return needed.length === 0 ? '' : ` that has ${needed.join(' and ')}`;
}
