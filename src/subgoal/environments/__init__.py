"""Text worlds: the contract, its adapters, and the protocols under which agents are compared."""
