/*
 * Starts the page, and gives the tests their one function.
 */
(function () {
  const require = self.__standinStart;
  delete self.__standinStart;
  Object.defineProperty(self, '__standin', {
    value: Object.freeze({ checkInvariants: require('StandInInvariants').checkInvariants }),
  });
  require('StandInUI').start();
  require('StandInSession').start();
})();
