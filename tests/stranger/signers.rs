//! Lists of allowed signers: read as OpenSSH reads them.
