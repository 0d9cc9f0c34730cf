//! The secrets files that a value of a layer goes into: those from which what is compiled of its document can take it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::compile::customers::scope;
use crate::compile::documents::Standing;
use crate::model::connection::Scope;
use crate::value::Node;
use crate::workspace::discover::Family;
use crate::workspace::{Layer, Workspace};

/// The folders of the layers. `global`: the field has one value for all customers. With `only`, these environments.
///
/// # Errors
/// What to do first: no layer could hold it.
pub fn homes(
    workspace: &Workspace,
    standing: &Standing<'_>,
    global: bool,
    only: &[Arc<str>],
) -> Result<Vec<String>, String> {
    let layer = standing.layer;
    let of_customers = users(workspace, standing).filter(|_| !global);
    if let Some(id) = of_customers.iter().flatten().find(|id| is_supplied(workspace, id)) {
        return Err(format!("each customer supplies its own for `{id}`: delete the line, and rotate the value"));
    }
    let homes: Vec<String> = match of_customers {
        _ if layer.is_customers() => vec![layer.path.to_string()],
        Some(ids) => customers(workspace, layer, &ids, only)?,
        _ if layer.path.is_empty() => {
            let wanted = |name: &&Arc<str>| only.is_empty() || only.contains(name);
            workspace.environments.keys().filter(wanted).map(|name| format!("environments/{name}")).collect()
        }
        _ => vec![layer.path.to_string()],
    };
    if homes.is_empty() {
        return Err(
            "there is no environment whose secrets file could hold it: create environments/NAME/environment.yaml"
                .into(),
        );
    }
    Ok(homes)
}

/// The connections whose instances take the value, where each customer has one of its own: that of the document, or those
/// that link the credential. `None` where all customers share it.
fn users<'w>(workspace: &'w Workspace, standing: &Standing<'w>) -> Option<BTreeSet<&'w str>> {
    let ids: BTreeSet<&str> = match standing.family {
        Family::Credentials => {
            let documents = workspace.layers().flat_map(|layer| &layer.connections);
            let links = |root: &Node| root.get("credential").and_then(Node::as_str) == Some(&**standing.id);
            documents.filter(|(_, document)| document.root.as_ref().is_some_and(links)).map(|(id, _)| &**id).collect()
        }
        _ => BTreeSet::from([&**standing.id]),
    };
    let shared = |id: &&str| {
        let lowest = workspace.layers().find_map(|layer| layer.connections.get(*id));
        lowest.is_none_or(|lowest| scope(lowest) == Scope::Global)
    };
    (!ids.is_empty() && !ids.iter().any(shared)).then_some(ids)
}

/// Whether the customer types in the secrets of a connection.
fn is_supplied(workspace: &Workspace, id: &str) -> bool {
    let roots = workspace.layers().filter_map(|layer| layer.connections.get(id)?.root.as_ref());
    roots.filter_map(|root| root.get("supplied_by")?.as_str()).any(|by| by == "customer")
}

/// The layers of the customers that list one of these connections, as far as `layer` reaches.
fn customers(
    workspace: &Workspace,
    layer: &Layer,
    ids: &BTreeSet<&str>,
    only: &[Arc<str>],
) -> Result<Vec<String>, String> {
    let lists = |customer: &Layer| customer.settings.connections.iter().any(|listed| ids.contains(&*listed.value));
    let listing = || workspace.customers.iter().filter(|(_, customer)| lists(customer));
    let homes: Vec<String> = match layer.path.split('/').collect::<Vec<_>>().as_slice() {
        ["environments", environment] => {
            let there = listing().filter(|(_, customer)| customer.is_in(environment));
            there.map(|(name, _)| format!("customers/{name}/environments/{environment}")).collect()
        }
        ["environments", environment, "profiles", profile] => {
            let there = listing().filter(|(_, customer)| customer.is_in(environment));
            there.map(|(name, _)| format!("customers/{name}/profiles/{profile}")).collect()
        }
        _ if only.is_empty() => listing().map(|(name, _)| format!("customers/{name}")).collect(),
        _ => {
            let each = listing().flat_map(|(name, customer)| only.iter().map(move |e| (name, customer, e)));
            let there = each.filter(|(_, customer, environment)| customer.is_in(environment));
            there.map(|(name, _, environment)| format!("customers/{name}/environments/{environment}")).collect()
        }
    };
    if homes.is_empty() {
        let id = ids.iter().next().copied().unwrap_or_default();
        return Err(format!(
            "no customer has `{id}`, so no secrets file is its own: list it in customers/NAME/customer.yaml \
             (`connections: [{id}]`) and extract again, or delete the value and rotate it"
        ));
    }
    Ok(homes)
}
