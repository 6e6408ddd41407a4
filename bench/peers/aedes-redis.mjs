// The composition that is at hand without Skein: aedes with the packages that it names for several processes on one Redis.
// usage: node aedes-redis.mjs PORT REDIS_PORT
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import persistenceRedis from 'bench-aedes-persistence-redis';
import mqemitterRedis from 'mqemitter-redis';

const [port, redisPort] = process.argv.slice(2).map(Number);
const redis = { host: '127.0.0.1', port: redisPort };
const broker = await Aedes.createBroker({
  mq: mqemitterRedis(redis),
  persistence: persistenceRedis(redis),
});
createServer({ noDelay: true, backlog: 4096 }, broker.handle).listen(port, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
