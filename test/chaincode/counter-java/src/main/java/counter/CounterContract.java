package counter;

import org.hyperledger.fabric.contract.Context;
import org.hyperledger.fabric.contract.ContractInterface;
import org.hyperledger.fabric.contract.annotation.Contract;
import org.hyperledger.fabric.contract.annotation.Default;
import org.hyperledger.fabric.contract.annotation.Info;
import org.hyperledger.fabric.contract.annotation.Transaction;

/** Counts. As test/chaincode/counter, by the Java contract API. */
@Default
@Contract(name = "counter", info = @Info(title = "counter", version = "1.0.0"))
public final class CounterContract implements ContractInterface {
  private static final String KEY = "count";

  @Transaction(intent = Transaction.TYPE.SUBMIT)
  public String Add(Context context) {
    String next = String.valueOf(read(context) + 1);
    context.getStub().putStringState(KEY, next);
    return next;
  }

  @Transaction(intent = Transaction.TYPE.EVALUATE)
  public String Get(Context context) {
    return String.valueOf(read(context));
  }

  private static long read(Context context) {
    String found = context.getStub().getStringState(KEY);
    return found.isEmpty() ? 0 : Long.parseLong(found);
  }
}
