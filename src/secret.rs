//! A secret value as a type: it cannot be printed, compared, copied or serialized by accident.

use zeroize::Zeroize;

/// A plaintext secret in memory.
///
/// There is no `Debug`, `Display`, `Serialize`, `PartialEq` or `Clone` on purpose: the only way to the value is
/// [`Secret::expose`], a word that a reviewer can search for. The memory is wiped on drop.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of a plaintext.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Opens the secret. What the caller makes of the reference must not outlive its use, and must not be formatted
    /// into a message.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Opens the secret to fill or cut it.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl Secret<String> {
    /// The same without the line break that an editor or `echo` puts behind a password. That of several lines is part of them:
    /// a key file without it is one that programs refuse.
    #[must_use]
    pub fn of_one_line(mut self) -> Self {
        let cut = self.0.strip_suffix('\n').map(|value| value.strip_suffix('\r').unwrap_or(value).len());
        if let Some(length) = cut.filter(|length| !self.0[..*length].contains('\n')) {
            self.0.truncate(length);
        }
        self
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
