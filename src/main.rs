//! The command line: parse, run, exit code.

use clap::Parser;
use clap::error::ErrorKind;
use std::process::ExitCode;
use tieline::commands::{self, Cli, Exit};
use tieline::ui::{Color, Ui};
use tieline::world::{System, World, process};

fn main() -> ExitCode {
    process::close();
    let here = System::new(".");
    let variable = |name: &str| here.variable(name);
    let plain = Ui::new(Color::Auto, &variable);
    std::panic::set_hook(Box::new(move |fault| {
        plain.fail(&fault.to_string(), Some("this is a bug in tieline: please report what you ran"));
    }));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            plain.usage(error);
            return ExitCode::from(if asked { Exit::Done } else { Exit::Usage } as u8);
        }
    };
    let ui = Ui::new(cli.color, &variable);
    ExitCode::from(commands::run(&cli, &ui) as u8)
}
