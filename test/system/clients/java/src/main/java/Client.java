import com.fasterxml.jackson.databind.ObjectMapper;
import io.dapr.client.DaprClient;
import io.dapr.client.DaprClientBuilder;
import io.dapr.client.domain.ExecuteStateTransactionRequest;
import io.dapr.client.domain.State;
import io.dapr.client.domain.StateOptions;
import io.dapr.client.domain.TransactionalStateOperation;
import io.dapr.client.domain.TransactionalStateOperation.OperationType;
import io.dapr.exceptions.DaprErrorDetails.ErrorDetailType;
import io.dapr.exceptions.DaprException;
import io.dapr.utils.TypeRef;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The scenarios of ../README.md with Dapr's Java SDK: {@code java Client STORE}.
 *
 * <p>The SDK saves a text as JSON and calls a missing record's value null. It can read the metadata of the sidecar but not
 * set any.
 */
public final class Client {
  private static final String MISMATCH = "possible etag mismatch";
  private static final StateOptions FIRST_WRITE =
      new StateOptions(StateOptions.Consistency.STRONG, StateOptions.Concurrency.FIRST_WRITE);

  private final DaprClient dapr;
  private final String store;

  private Client(DaprClient dapr, String store) {
    this.dapr = dapr;
    this.store = store;
  }

  private interface Scenario {
    void run();
  }

  private Map<String, Scenario> scenarios() {
    Map<String, Scenario> all = new LinkedHashMap<>();
    all.put("save_and_get", this::saveAndGet);
    all.put("missing_key", this::missingKey);
    all.put("bulk", this::bulk);
    all.put("transaction", this::transaction);
    all.put("transaction_refused", this::transactionRefused);
    all.put("delete_with_etag", this::deleteWithEtag);
    all.put("first_write", this::firstWrite);
    all.put("ttl", this::ttl);
    all.put("metadata", this::metadata);
    all.put("secrets", this::secrets);
    all.put("unknown_store", this::unknownStore);
    all.put("shutdown", () -> dapr.shutdown().block());
    return all;
  }

  private void save(String key, String value) {
    dapr.saveState(store, key, value).block();
  }

  private State<String> get(String key) {
    return dapr.getState(store, key, String.class).block();
  }

  private static void equal(Object got, Object wanted, String what) {
    if (!Objects.equals(got, wanted)) {
      throw new AssertionError(what + ": expected " + wanted + ", got " + got);
    }
  }

  private static void isTrue(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  /** The error's code is the name of the gRPC status; the sidecar's own word for it is among the details. */
  private static void refused(Scenario call, String code, String reason, String text) {
    try {
      call.run();
    } catch (DaprException error) {
      equal(error.getErrorCode(), code, "error code of \"" + error.getMessage() + "\"");
      equal(error.getErrorDetails().get(ErrorDetailType.ERROR_INFO, "reason", TypeRef.STRING), reason, "reason");
      isTrue(error.getMessage().contains(text), "expected \"" + text + "\" in: " + error.getMessage());
      return;
    }
    throw new AssertionError("the sidecar should have refused this");
  }

  private void saveAndGet() {
    save("greeting", "hello");
    equal(get("greeting").getValue(), "hello", "value");
    Map<String, Object> basket = Map.of("items", List.of("ink", "paper"), "customer", "Zoë", "total", 2.5);
    dapr.saveState(store, "greeting", basket).block();
    equal(dapr.getState(store, "greeting", Map.class).block().getValue(), basket, "overwritten value");
  }

  private void missingKey() {
    State<String> missing = get("nothing-here");
    equal(missing.getValue(), null, "value");
    equal(missing.getEtag(), null, "etag");
  }

  private void bulk() {
    List<State<?>> records = new ArrayList<>();
    List<String> keys = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      keys.add("bulk-" + i);
      records.add(new State<>(keys.get(i), "value " + i, (String) null));
    }
    dapr.saveBulkState(store, records).block();
    keys.add("bulk-missing");
    List<State<String>> found = dapr.getBulkState(store, keys, String.class).block();
    equal(found.stream().map(State::getKey).toList(), keys, "keys");
    for (int i = 0; i < 10; i++) {
      equal(found.get(i).getValue(), "value " + i, "item " + i);
      isTrue(found.get(i).getEtag() != null && found.get(i).getError() == null, "item " + i + " has an etag");
    }
    equal(found.get(10).getValue(), null, "the missing item");
    equal(found.get(10).getError(), null, "error of the missing item");
  }

  private void transact(TransactionalStateOperation<?>... operations) {
    ExecuteStateTransactionRequest request = new ExecuteStateTransactionRequest(store);
    request.setOperations(List.of(operations));
    dapr.executeStateTransaction(request).block();
  }

  private static TransactionalStateOperation<String> upsert(String key, String value, String etag) {
    return new TransactionalStateOperation<>(OperationType.UPSERT, new State<>(key, value, etag));
  }

  private void transaction() {
    save("cart", "full");
    transact(
        upsert("order", "placed", null),
        new TransactionalStateOperation<>(OperationType.DELETE, new State<String>("cart")));
    equal(get("order").getValue(), "placed", "order");
    equal(get("cart").getValue(), null, "cart");
  }

  private void transactionRefused() {
    save("from", "100");
    save("to", "0");
    refused(
        () -> transact(upsert("from", "0", null), upsert("to", "100", "7")),
        "INTERNAL",
        "ERR_STATE_TRANSACTION",
        MISMATCH);
    equal(get("from").getValue(), "100", "from");
    equal(get("to").getValue(), "0", "to");
  }

  private void deleteWithEtag() {
    save("doomed", "still here");
    refused(
        () -> dapr.deleteState(store, "doomed", "bad", FIRST_WRITE).block(), "ABORTED", "ERR_STATE_DELETE", MISMATCH);
    State<String> record = get("doomed");
    equal(record.getValue(), "still here", "value after the refused delete");
    dapr.deleteState(store, "doomed", record.getEtag(), FIRST_WRITE).block();
    equal(get("doomed").getValue(), null, "value after the delete");
  }

  private void firstWrite() {
    save("counter", "one");
    String etag = get("counter").getEtag();
    dapr.saveState(store, "counter", etag, "two", FIRST_WRITE).block();
    for (String stale : new String[] {etag, null}) {
      refused(
          () -> dapr.saveState(store, "counter", stale, "late", FIRST_WRITE).block(),
          "ABORTED",
          "ERR_STATE_SAVE",
          MISMATCH);
    }
    equal(get("counter").getValue(), "two", "value");
  }

  private void ttl() {
    Map<String, String> hundredSeconds = Map.of("ttlInSeconds", "100");
    dapr.saveBulkState(store, List.of(new State<>("session", "short", null, hundredSeconds, null))).block();
    Instant expires = Instant.parse(get("session").getMetadata().get("ttlExpireTime"));
    long left = Duration.between(Instant.now(), expires).toSeconds();
    isTrue(left > 90 && left <= 101, "expires in " + left + " s");
  }

  private void metadata() {
    var told = dapr.getMetadata().block();
    equal(told.getId(), "test", "id");
    isTrue(told.getRuntimeVersion().matches("\\d+\\.\\d+\\.\\d+"), "version: " + told.getRuntimeVersion());
    isTrue(told.getComponents().stream().anyMatch(one -> one.getName().equals(store)), store + " is told");
  }

  private void secrets() {
    equal(dapr.getSecret("vault", "api-key").block(), Map.of("api-key", "k-123"), "one secret");
    Map<String, Map<String, String>> all =
        Map.of("api-key", Map.of("api-key", "k-123"), "database:password", Map.of("database:password", "p&ss"));
    equal(dapr.getBulkSecret("vault").block(), all, "all secrets");
  }

  private void unknownStore() {
    refused(
        () -> dapr.getState("nope", "key", String.class).block(),
        "INVALID_ARGUMENT",
        "DAPR_STATE_NOT_FOUND",
        "state store nope is not found");
  }

  private static boolean report(String scenario, Throwable failure) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("scenario", scenario);
    line.put("ok", failure == null);
    if (failure != null) {
      line.put("error", failure.toString());
    }
    try {
      System.out.println(new ObjectMapper().writeValueAsString(line));
    } catch (java.io.IOException impossible) {
      throw new java.io.UncheckedIOException(impossible);
    }
    return failure == null;
  }

  private boolean run() {
    for (Map.Entry<String, Scenario> one : scenarios().entrySet()) {
      Throwable failure = null;
      try {
        one.getValue().run();
      } catch (RuntimeException | AssertionError caught) {
        failure = caught;
      }
      if (!report(one.getKey(), failure)) {
        return false;
      }
    }
    return true;
  }

  /** The HTTP client of the SDK keeps threads that are no daemons, so the program has to end itself. */
  public static void main(String[] arguments) throws Exception {
    boolean passed = false;
    try (DaprClient dapr = new DaprClientBuilder().build()) {
      dapr.waitForSidecar(10_000).block();
      passed = new Client(dapr, arguments[0]).run();
    } catch (RuntimeException failure) {
      report("connect", failure);
    }
    System.exit(passed ? 0 : 1);
  }
}
