/*
 * Modules that wa-js wraps or looks at when it starts and whose work the stand-in does not do.
 * Without them it runs all the same but fills the console with "was not found".
 */
(function () {
  const nothing = () => undefined;
  const soon = async () => undefined;
  const QUIET = {
    WAWebMsgProtobuf: { createMsgProtobuf: () => ({}) },
    WAWebEncryptAndSendMsg: { encryptAndSendMsg: soon },
    WAWebEncryptAndSendStatusMsg: { encryptAndSendStatusMsg: soon },
    WAWebABProps: { getABPropConfigValue: nothing },
    WAWebPrimaryFeatures: { primaryFeatureEnabled: () => false },
    WAWebBackendJobsCommon: { mediaTypeFromProtobuf: () => null, encodeMaybeMediaType: (type) => type },
    WAWebE2EProtoUtils: { typeAttributeFromProtobuf: () => 'text' },
    WAWebSendMsgCreateFanoutStanza: { createFanoutMsgStanza: soon },
    WAWebGenMinimalLinkPreview: { genMinimalLinkPreview: soon },
    WAWebPinnedChats: { getNumChatsPinned: () => 0 },
    WAWebUnreadType: { getIsUnreadType: () => true },
    WAWebCreateChatRecord: { createChatRecord: soon },
    WAWebUpdateDBForGroupAction: { updateDBForGroupAction: soon },
    WAWebPollsVotes: { upsertVotesDb: soon },
    WAWebReactionsUpdate: { addOrUpdateReactionsModelCollection: soon },
    WAWebLabelItems: { addToLabelCollection: soon, removeLabelFromCollection: soon },
    WAWebMediaUpload: { uploadMedia: soon },
    WAWebProcessRawMediaSticker: { processRawSticker: soon },
    WAWebVideoThumbs: { generateVideoThumbsAndDuration: soon },
    WAWebInboxFilters: { isFilterExcludedFromSearchTreatmentInInboxFlow: () => false },
    WAWebChatPresence: { markComposing: soon, markPaused: soon, markRecording: soon },
    WAWebLinkPreviewLinks: { findFirstWebLink: nothing },
    WAWebOfficialClient: { isOfficialClient: true },
    WAWebChatSearchQuery: { SearchQuery: class SearchQuery { updateLabelQuery() {} } },
    WAWebAddonReactionTableMode: { reactionTableMode: { bulkUpsert: soon } },
    WAWebAddonPollVoteTableMode: { pollVoteTableMode: { bulkUpsert: soon } },
  };
  for (const [id, members] of Object.entries(QUIET)) {
    __d(id, [], (global, require, importDefault, importNamespace, requireLazy, module, exports) => {
      Object.assign(exports, members);
    });
  }
  const EMPTY_COLLECTIONS = {
    WAWebBlocklistCollection: 'BlocklistCollection',
    WAWebStatusCollection: 'StatusCollection',
  };
  for (const [id, name] of Object.entries(EMPTY_COLLECTIONS)) {
    __d(id, ['WAWebBaseCollection', 'WAWebBaseModel'], (global, require, d, n, l, module, exports) => {
      class Collection extends require('WAWebBaseCollection').BaseCollection {}
      Collection.model = require('WAWebBaseModel').defineModel(`quiet-${name}`, { id: undefined });
      exports[name] = new Collection();
    });
  }
})();
