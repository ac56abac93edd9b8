/*
 * People: contacts, what is shown of them, who exists on WhatsApp (everyone does, here), presence.
 */
__d('WAWebContactModel', ['WAWebBaseModel'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { BaseModel, defineModel } = require('WAWebBaseModel');
  class ContactModel extends BaseModel {}
  exports.Contact = defineModel('contact', {
    id: undefined, name: undefined, shortName: undefined, pushname: undefined, type: 'in', isBusiness: false,
    isEnterprise: false, isContactBlocked: false, verifiedName: undefined, verifiedLevel: undefined, labels: undefined,
  }, ContactModel);
});

__d('WAWebContactCollection', ['WAWebBaseCollection', 'WAWebContactModel', 'WAWebWidFactory'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { createWid } = require('WAWebWidFactory');
  class ContactCollectionImpl extends require('WAWebBaseCollection').BaseCollection {
    async find(id) {
      return this.get(id) || this.add({ id: createWid(id) });
    }
  }
  ContactCollectionImpl.model = require('WAWebContactModel').Contact;
  exports.ContactCollectionImpl = ContactCollectionImpl;
  exports.ContactCollection = new ContactCollectionImpl();
});

__d('WAWebContactGetters', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const me = () => require('WAWebUserPrefsMeUser');
  Object.assign(exports, {
    getNotifyName: (contact) => contact.pushname,
    getPremiumMessageName: () => undefined,
    getUserid: (contact) => contact.id?.user,
    getIsMe: (contact) => me().isMeAccount(contact.id),
    getIsUser: (contact) => Boolean(contact.id?.isUser()),
    getIsGroup: (contact) => Boolean(contact.id?.isGroup()),
    getIsBroadcast: (contact) => Boolean(contact.id?.isBroadcast()),
    getIsPSA: (contact) => Boolean(contact.id?.isPSA()),
    getIsIAS: () => false,
    getIsSupportAccount: () => false,
    getIsWAContact: () => true,
    getCanRequestPhoneNumber: () => false,
    getShowBusinessCheckmarkAsPrimary: () => false,
    getShowBusinessCheckmarkAsSecondary: () => false,
    getShowBusinessCheckmarkInChatlist: () => false,
    getIsDisplayNameApproved: () => true,
    getShouldForceBusinessUpdate: () => false,
    getIsEnterprise: (contact) => contact.isEnterprise,
    getVerifiedName: (contact) => contact.verifiedName,
    getVerifiedLevel: (contact) => contact.verifiedLevel,
    getStatusMute: () => false,
    getName: (contact) => contact.name,
    getShortName: (contact) => contact.shortName,
    getPushname: (contact) => contact.pushname,
  });
});

__d('WAWebFrontendContactGetters', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const named = (contact) => contact.name || contact.pushname || contact.id?.user;
  Object.assign(exports, {
    getIsMyContact: (contact) => Boolean(contact.name),
    getMentionName: named,
    getSearchVerifiedName: () => undefined,
    getHeader: () => undefined,
    getPhoneNumber: (contact) => contact.id,
    getTextStatusString: () => '',
    getDisplayName: named,
    getPnForLid: () => undefined,
    getUserDisplayNameForLid: named,
    getFormattedPhone: (contact) => contact.id && `+${contact.id.user}`,
    getFormattedShortNameWithNonBreakingSpaces: named,
    getFormattedShortName: named,
    getFormattedName: named,
    getFormattedUser: named,
    getSearchName: named,
  });
});

__d('WAWebApiContact', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  Object.assign(exports, {
    getCurrentLid: () => undefined,
    getPhoneNumber: (wid) => (wid.isLid() ? undefined : wid),
    getAlternateUserWid: () => undefined,
    hasLidMapping: () => false,
  });
});

__d('WAWebLidMigrationUtils', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.toPn = (wid) => wid;
  exports.toLid = () => undefined;
  exports.Lid1X1MigrationUtils = { isLidMigrated: () => false, isSyncdSessionMigrated: () => false };
});

__d('WAWebLidPnCache', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.lidPnCache = { getCurrentLid: () => undefined, getPhoneNumber: () => undefined, getLidEntry: () => undefined };
});

__d('WAWebQueryExistsJob', ['WAWebWidFactory'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { createWid, toUserWid } = require('WAWebWidFactory');
  const known = async (id) => ({ wid: toUserWid(createWid(id)), biz: false });
  exports.queryWidExists = known;
  exports.queryPhoneExists = (phone) => known(`${String(phone).replace(/\D/g, '')}@c.us`);
});

__d('WAWebPresenceCollection', ['WAWebBaseCollection', 'WAWebBaseModel'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { defineModel } = require('WAWebBaseModel');
  class PresenceCollection extends require('WAWebBaseCollection').BaseCollection {}
  PresenceCollection.model = defineModel('presence', { id: undefined, isOnline: false, hasData: false });
  exports.PresenceCollection = new PresenceCollection();
});

__d('WAWebPresenceChatAction', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { Stream } = require('WAWebStreamModel');
  exports.sendPresenceAvailable = () => Stream.markAvailable();
  exports.sendPresenceUnavailable = () => Stream.markUnavailable();
});

__d('WAWebContactPresenceBridge', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.subscribePresence = async () => undefined;
  exports.subscribeGroupPresence = async () => undefined;
});
