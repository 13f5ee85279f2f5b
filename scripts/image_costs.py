"""Print what a million images cost with single executions and with batch executions."""

from deployment.cost import read_prices
from deployment.image_costs import table

if __name__ == "__main__":
    print("\n".join(table(read_prices())))
