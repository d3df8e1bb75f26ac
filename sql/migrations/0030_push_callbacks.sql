-- Callbacks end with a token that only the hub is told; hubs that were asked before have others, which are not answered.

DELETE FROM ops.push_subscriptions;
