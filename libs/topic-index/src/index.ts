export { MatchCache } from './match-cache.ts';
export { TopicSet, type TopicQuery } from './topic-set.ts';
export {
  filterFault,
  isWildcard,
  matches,
  parseShare,
  topicNameFault,
  type SharedFilter,
} from './topic-syntax.ts';
export { TopicTrie } from './topic-trie.ts';
