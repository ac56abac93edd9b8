/*
 * What a page that is not linked yet offers: the keys in its QR code, and linking by phone number.
 */
__d('WAWebSignalStoreApi', ['StandInIdentity'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.waSignalStore = {
    getRegistrationInfo: async () => require('StandInIdentity').registrationInfo(),
  };
});

__d('WAWebUserPrefsInfoStore', ['StandInIdentity'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.waNoiseInfo = { get: async () => require('StandInIdentity').noiseInfo() };
});

__d('WAWebUserPrefsMultiDevice', ['StandInIdentity'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.getADVSecretKey = () => require('StandInIdentity').advSecretKey();
  exports.setADVSignedIdentity = () => undefined;
  exports.clearADVSecretKey = () => undefined;
});

__d('WAWebAdvSignatureApi', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.verifyDeviceIdentityAccountSignature = () => true;
  exports.generateDeviceSignature = () => new Uint8Array(64);
});

__d('WAWebCompanionRegClientUtils', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.DEVICE_PLATFORM = '1';
});

__d('WAWebAltDeviceLinkingApi', ['StandInSession'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { Socket } = require('WAWebSocketModel');

  async function genLinkDeviceCodeForPhoneNumber(phone) {
    const digits = String(phone).replace(/\D/g, '');
    if (!/^\d{8,15}$/.test(digits)) {
      throw new Error('invalid phone number');
    }
    if (!['UNPAIRED', 'UNPAIRED_IDLE'].includes(Socket.state)) {
      throw new Error('the socket is not ready for linking');
    }
    return require('StandInSession').requestCode(digits);
  }

  Object.assign(exports, {
    setPairingType() {},
    initializeAltDeviceLinking: async () => undefined,
    initializeQRLinking: async () => undefined,
    genLinkDeviceCodeForPhoneNumber,
    startAltLinkingFlow: genLinkDeviceCodeForPhoneNumber,
  });
});

__d('WAWebLaunchSocketUtils', ['StandInSession'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.refreshQR = () => require('StandInSession').refreshQR();
});

__d('WAWebLinkDeviceEvents', ['WAWebEventEmitter'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  class LinkDeviceEvents extends require('WAWebEventEmitter') {
    triggerRefreshAltLinkingCode() {
      this.trigger('link_device_events:refresh_alt_linking_code');
    }
  }
  exports.WAWebLinkDeviceEvents = new LinkDeviceEvents();
});
