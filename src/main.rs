//! The command line: parse, run, exit code.

use clap::Parser;
use clap::error::ErrorKind;
use std::process::ExitCode;
use tieline::commands::{self, Cli, Exit};
use tieline::ui::Ui;
use tieline::world::{System, World, process};

fn main() -> ExitCode {
    process::close();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if asked { Exit::Done } else { Exit::Usage } as u8);
        }
    };
    let here = System::new(".");
    let ui = Ui::new(cli.color, &|name| here.variable(name));
    ExitCode::from(commands::run(&cli, &ui) as u8)
}
