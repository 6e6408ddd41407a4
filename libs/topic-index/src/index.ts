export { MatchCache, type ByteBound } from './match-cache.ts';
export { TopicSet, type TopicQuery } from './topic-set.ts';
export {
  filterCovers,
  filterFault,
  filtersMeet,
  isExclusive,
  isShared,
  isWildcard,
  matches,
  parseShare,
  plainFilter,
  topicNameFault,
  type SharedFilter,
} from './topic-syntax.ts';
export { TopicTrie } from './topic-trie.ts';
