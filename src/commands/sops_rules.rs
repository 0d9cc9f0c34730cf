//! `.sops.yaml`, kept in step with the recipients of the workspace.

use super::{Failure, Session};
use crate::secrets::sopsrc;
use crate::ui::Ui;
use crate::world::World;
use crate::world::beneath::Access;

impl Session {
    /// Puts `.sops.yaml` in step with the recipients of every layer, if it is ours.
    ///
    /// # Errors
    /// It can't be written.
    pub fn keep_sopsrc(&self, ui: &Ui) -> Result<(), Failure> {
        let there = self.world.read(sopsrc::FILE, 1 << 20).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(wanted) = sopsrc::text(&self.workspace) else { return Ok(()) };
        match there {
            Some(there) if !sopsrc::is_ours(&there) || there == wanted => return Ok(()),
            Some(there) if sopsrc::has_more(&there) => {
                ui.say(&format!("{} has lines that tieline did not write: left as it is", sopsrc::FILE));
                ui.say(
                    "  help: move them to a .sops.yaml further below, or delete its first two lines to keep it by hand",
                );
                return Ok(());
            }
            Some(_) => {}
            None if self.world.files().exists(sopsrc::FILE) => return Ok(()),
            None => {}
        }
        let files = self.world.files();
        files
            .replace(sopsrc::FILE, wanted.as_bytes(), Access::Shared)
            .map_err(|error| Failure::new(format!("can't write {}: {error}", sopsrc::FILE)))?;
        ui.say(&format!("{} says the same to stock sops", sopsrc::FILE));
        Ok(())
    }
}
