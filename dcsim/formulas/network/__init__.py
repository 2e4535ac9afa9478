"""Networks: fair shares of links, and the time of collectives."""
